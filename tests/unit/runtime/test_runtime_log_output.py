"""Where log lines go: what waits, for how long, and that nothing is lost or out of order."""

import asyncio
import threading
import time
from io import BytesIO

import pytest

from runtime.log_output import LogOutput


class Recorded(BytesIO):
    """A file that tells each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.writes.append(bytes(data))
        return len(data)


@pytest.fixture
def file() -> Recorded:
    return Recorded()


async def test_the_first_line_goes_out_at_once_and_what_follows_together(file: Recorded) -> None:
    output = LogOutput(file)
    for line in (b"1\n", b"2\n", b"3\n"):
        output.info(line)
    assert file.writes == [b"1\n"]
    await asyncio.sleep(0.15)
    assert file.writes == [b"1\n", b"2\n3\n"]


async def test_after_a_pause_a_line_goes_out_at_once_again(file: Recorded) -> None:
    output = LogOutput(file)
    output.info(b"1\n")
    await asyncio.sleep(0.15)
    output.info(b"2\n")
    assert file.writes == [b"1\n", b"2\n"]


@pytest.mark.parametrize("level", ["warning", "error", "critical"])
async def test_what_is_worse_goes_out_at_once_behind_what_waited(file: Recorded, level: str) -> None:
    output = LogOutput(file)
    output.info(b"1\n")
    output.info(b"2\n")
    getattr(output, level)(b"3\n")
    assert file.writes == [b"1\n", b"2\n3\n"]


async def test_lines_of_the_standard_library_stay_in_order(file: Recorded) -> None:
    output = LogOutput(file)
    output.info(b"1\n")
    output.info(b"2\n")
    output.write("3\n")
    output.flush()
    assert b"".join(file.writes) == b"1\n2\n3\n"


async def test_many_lines_do_not_wait(file: Recorded) -> None:
    output = LogOutput(file)
    output.info(b"1\n")
    for _ in range(70):
        output.info(b"x" * 1023 + b"\n")
    assert len(file.writes) == 2
    assert len(file.writes[1]) >= 65_536


async def test_another_thread_does_not_wait(file: Recorded) -> None:
    output = LogOutput(file)
    output.info(b"1\n")
    output.info(b"2\n")
    thread = threading.Thread(target=output.info, args=(b"3\n",))
    thread.start()
    thread.join()
    assert file.writes == [b"1\n", b"2\n3\n"]


def test_without_a_loop_nothing_waits(file: Recorded) -> None:
    output = LogOutput(file)
    output.info(b"1\n")
    output.info(b"2\n")
    assert file.writes == [b"1\n", b"2\n"]


def test_a_line_behind_a_loop_that_ended_waits_no_longer_than_its_timer_would_have(file: Recorded) -> None:
    output = LogOutput(file)

    async def work() -> None:
        output.info(b"1\n")
        output.info(b"2\n")

    def process() -> None:
        asyncio.run(work())
        time.sleep(0.25)
        output.info(b"3\n")

    thread = threading.Thread(target=process)
    thread.start()
    thread.join()
    assert b"".join(file.writes) == b"1\n2\n3\n"


def test_a_file_that_is_closed_is_left_alone(file: Recorded) -> None:
    output = LogOutput(file)
    output.write("1\n")
    file.close()
    output.flush()
    assert file.writes == []

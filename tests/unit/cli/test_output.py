"""What becomes of the lines that a process prints."""

import asyncio
import io
import os
from pathlib import Path

import pytest

from gatepost_cli.supervisor.output import LINE_BYTES, TAIL_LINES, Output


async def copied(output: Output, *chunks: bytes) -> None:
    reader = asyncio.StreamReader()
    copying = asyncio.create_task(output.copy(reader))
    for chunk in chunks:
        reader.feed_data(chunk)
        await asyncio.sleep(0)
    reader.feed_eof()
    await copying
    output.close()


async def test_lines_are_whole_however_they_arrive(tmp_path: Path) -> None:
    await copied(Output("name", tmp_path), b"one\ntw", b"o\r\nthree")
    assert (tmp_path / "name.log").read_text("utf-8") == "one\ntwo\nthree\n"


async def test_an_endless_line_is_cut(tmp_path: Path) -> None:
    output = Output("name", tmp_path)
    await copied(output, b"x" * (LINE_BYTES + 1), b"x" * LINE_BYTES)
    assert sum(map(len, output.tail)) == 2 * LINE_BYTES + 1
    assert len(output.tail) == 2


async def test_the_last_lines_are_remembered(tmp_path: Path) -> None:
    output = Output("name", tmp_path)
    await copied(output, b"".join(b"%d\n" % number for number in range(TAIL_LINES + 5)))
    assert list(output.tail) == [str(number) for number in range(5, TAIL_LINES + 5)]


async def test_a_terminal_sees_the_name_before_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    await copied(Output("gateway", None), b"hello\n")
    assert capsys.readouterr().err == "gateway         | hello\n"


async def test_a_terminal_that_nobody_reads_any_more_holds_up_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    output = Output("gateway", None)
    with io.TextIOWrapper(io.FileIO(writing, "w"), write_through=True) as unread:
        monkeypatch.setattr("sys.stderr", unread)
        await copied(output, b"one\n", b"two\n")
        monkeypatch.undo()
    assert list(output.tail) == ["one", "two"]

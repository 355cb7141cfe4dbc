"""The list of breached passwords: made from what Have I Been Pwned publishes, looked up in its file."""

import io
import time
import tracemalloc
from hashlib import sha1
from itertools import count
from pathlib import Path

import pytest

from runtime.breached import BreachedPasswords, compile_list

MANY = 100_000


def line(password: str, seen: int = 1) -> str:
    return f"{sha1(password.encode(), usedforsecurity=False).hexdigest().upper()}:{seen}\r\n"


def compiled(lines: list[str], at_least: int = 1) -> bytes:
    out = io.BytesIO()
    compile_list(lines, out, at_least=at_least)
    return out.getvalue()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("breached") / "list"
    made.write_bytes(compiled(sorted(line(f"listed {number}") for number in range(MANY))))
    return made


def test_what_is_listed_is_found_and_nothing_else(file: Path) -> None:
    breached = BreachedPasswords.open(file)
    assert len(breached) == MANY
    assert all(f"listed {number}" in breached for number in range(MANY))
    assert not any(f"other {number}" in breached for number in range(MANY))


def test_a_password_takes_five_bytes_on_the_disk_and_none_of_our_memory(file: Path) -> None:
    assert file.stat().st_size == 5 * MANY + 8 * 65_537 + 8
    tracemalloc.start()
    try:
        breached = BreachedPasswords.open(file)
        assert sum(f"listed {number}" in breached for number in range(1000)) == 1000
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()


def test_a_look_takes_less_than_a_hundredth_of_a_hash(file: Path) -> None:
    breached = BreachedPasswords.open(file)
    numbers, until = count(), time.perf_counter() + 0.1
    while time.perf_counter() < until:
        assert f"other {next(numbers)}" not in breached
    assert next(numbers) > 1000  # 100 µs each, on a machine with much else to do


def test_the_first_and_the_last_of_all_hashes_are_found() -> None:
    lowest, highest = min(map(str, range(9000)), key=line), max(map(str, range(9000)), key=line)
    breached = BreachedPasswords(compiled([line(lowest), line(highest)]))
    assert lowest in breached
    assert highest in breached
    assert len(breached) == 2


def test_one_listed_twice_counts_once_and_rare_ones_can_be_left_out() -> None:
    lines = sorted([line("rare", 2), line("common", 900)])
    assert len(BreachedPasswords(compiled([lines[0], *lines]))) == 2
    breached = BreachedPasswords(compiled(lines, at_least=3))
    assert ("rare" in breached, "common" in breached) == (False, True)


@pytest.mark.parametrize("wrong", ["no hash", "00", "0" * 39 + "g:1", "0" * 40 + ":many", "0" * 42 + ":1", "٣" * 40])
def test_a_line_that_is_none_is_named(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2 is not SHA1:COUNT$"):
        compiled(["0" * 40 + ":1", wrong])


def test_lines_out_of_order_are_named() -> None:
    with pytest.raises(ValueError, match=r"^line 3 is not in order"):
        compiled(["1" * 40, "2" * 40, "1" * 40])


@pytest.mark.parametrize("damage", ["short", "cut", "longer", "another"])
def test_what_is_no_whole_list_is_not_opened(file: Path, tmp_path: Path, damage: str) -> None:
    content = file.read_bytes()
    damaged = {"short": b"gpbreach", "cut": content[:-1], "longer": content + b"x", "another": b"x" + content[1:]}
    (tmp_path / "list").write_bytes(damaged[damage])
    with pytest.raises(ValueError, match="gatepost passwords compile"):
        BreachedPasswords.open(tmp_path / "list")

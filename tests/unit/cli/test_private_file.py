"""Files that only their owner can read: whole, or not there."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from gatepost_cli import private_file


def test_what_somebody_put_where_a_file_is_made_is_not_written_to(tmp_path: Path) -> None:
    others, made = tmp_path / "others", tmp_path / "made"
    others.write_text("theirs", encoding="utf-8")
    made.with_name("made.part").symlink_to(others)
    with private_file.replacing(made) as file:
        file.write(b"ours")
    assert (others.read_bytes(), made.read_bytes(), made.is_symlink()) == (b"theirs", b"ours", False)
    assert made.stat().st_mode & 0o777 == private_file.MODE


def test_a_file_that_fails_leaves_what_was_there_and_nothing_beside(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.write_bytes(b"before")
    with pytest.raises(TypeError), private_file.replacing(made) as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"before"]


def test_of_two_who_write_the_same_file_the_later_one_does_and_the_other_is_told(tmp_path: Path) -> None:
    made = tmp_path / "made"
    with ExitStack() as sooner, ExitStack() as later:
        first, second = [stack.enter_context(private_file.replacing(made)) for stack in (sooner, later)]
        first.write(b"sooner")
        second.write(b"lat")
        with pytest.raises(FileExistsError, match="another process"):
            sooner.close()
        assert not made.exists()
        second.write(b"er")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("made", b"later")]

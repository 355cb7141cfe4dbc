"""`gatepost passwords compile`: a file is made whole or not at all."""

from hashlib import sha1
from pathlib import Path

import pytest
from typer import Exit
from typer.testing import CliRunner

from gatepost_cli.commands.passwords import passwords
from gatepost_cli.errors import CommandFailed
from runtime.breached import BreachedPasswords


def published(folder: Path, *words: str) -> Path:
    file = folder / "published.txt"
    lines = sorted(f"{sha1(word.encode(), usedforsecurity=False).hexdigest().upper()}:{len(word)}\n" for word in words)
    file.write_text("".join(lines))
    return file


def compile_list(*arguments: Path | str) -> None:
    done = CliRunner().invoke(passwords, ["compile", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, Exit):
        raise done.exception


def test_a_published_list_becomes_one_that_passwords_are_looked_up_in(tmp_path: Path) -> None:
    target = tmp_path / "list"
    compile_list(published(tmp_path, "hunter2", "abc"), target, "--at-least", "4")
    breached = BreachedPasswords.open(target)
    assert ("hunter2" in breached, "abc" in breached) == (True, False)


def test_a_list_that_cannot_be_read_leaves_the_one_before(tmp_path: Path) -> None:
    target = tmp_path / "list"
    compile_list(published(tmp_path, "hunter2"), target)
    with (tmp_path / "published.txt").open("a") as file:
        file.write("no hash\n")
    with pytest.raises(CommandFailed, match="line 2 is not SHA1:COUNT"):
        compile_list(tmp_path / "published.txt", target)
    assert "hunter2" in BreachedPasswords.open(target)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["list", "published.txt"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"missing\.txt: No such file"):
        compile_list(tmp_path / "missing.txt", tmp_path / "list")

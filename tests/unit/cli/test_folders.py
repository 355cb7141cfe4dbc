"""The data folder, its secrets and its state; the folder of a socket."""

import asyncio
import dataclasses
import resource
import stat
from pathlib import Path

import pytest

from gatepost_cli import data_dir, secrets_file, stack, state
from gatepost_cli.embedded import run_folder
from gatepost_cli.errors import CommandFailed
from gatepost_cli.supervisor import published


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def where(tmp_path: Path) -> data_dir.DataDir:
    where = data_dir.locate(tmp_path / "data")
    data_dir.create(where, None)
    return where


def test_a_data_folder_is_closed_to_others(where: data_dir.DataDir) -> None:
    secrets_file.load(where)
    assert (mode(where.path), mode(where.secrets), mode(where.logs)) == (0o700, 0o600, 0o700)


def test_a_data_folder_is_locked_once(where: data_dir.DataDir) -> None:
    with data_dir.lock(where), pytest.raises(CommandFailed, match="another `gatepost up`"):
        data_dir.lock(where)
    data_dir.lock(where).close()


def test_a_data_folder_that_takes_no_bytes_is_refused_in_one_sentence(where: data_dir.DataDir) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(CommandFailed, match="lock cannot be written"):
            data_dir.lock(where)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_data_folder_is_found_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATEPOST_DATA_DIR", str(tmp_path / "elsewhere"))
    assert data_dir.locate().path == tmp_path / "elsewhere"
    assert data_dir.locate(tmp_path).path == tmp_path


def test_secrets_are_generated_once(where: data_dir.DataDir) -> None:
    first = secrets_file.load(where)
    assert secrets_file.load(where) == first
    assert len(first.service_keys[0]) >= 32


def test_missing_secrets_of_a_folder_with_data_are_not_replaced(where: data_dir.DataDir) -> None:
    (where.postgres / "data").mkdir(parents=True)
    with pytest.raises(CommandFailed, match="is missing; restore it"):
        secrets_file.load(where)


def test_damaged_secrets_are_not_replaced(where: data_dir.DataDir) -> None:
    where.secrets.write_text("{", encoding="utf-8")
    with pytest.raises(CommandFailed, match="is damaged"):
        secrets_file.load(where)


@pytest.fixture
def running() -> state.State:
    """Return the state of a stack whose supervisor is this process."""
    process = state.RunningProcess("gateway", 0, None, None, "127.0.0.1:8080", "http://127.0.0.1:20000")
    return state.State(
        **state.ourselves(),
        ready=True,
        url="http://127.0.0.1:8080",
        targets={"auth": "ipv4:a", "users": "ipv4:u", "notify": "ipv4:n"},
        service_keys=("k" * 32,),
        dsns={"auth": "postgresql://auth"},
        valkey_url="unix://v",
        outbox_page=True,
        processes=(process,),
    )


def test_a_state_is_read_as_it_was_written(where: data_dir.DataDir, running: state.State) -> None:
    state.write(where, running)
    assert state.read(where) == running
    assert mode(where.state) == 0o600


def test_a_stack_is_found_by_its_data_folder(where: data_dir.DataDir, running: state.State) -> None:
    state.write(where, running)
    found = stack.load(where.path)
    assert (found.auth_target, found.service_keys) == ("ipv4:a", ("k" * 32,))


def test_no_stack_is_found_when_its_supervisor_is_gone(where: data_dir.DataDir, running: state.State) -> None:
    state.write(where, dataclasses.replace(running, supervisor_created=1.0))
    with pytest.raises(CommandFailed, match="start one with `gatepost up`"):
        stack.load(where.path)


async def test_a_state_that_cannot_be_written_is_written_when_it_can(
    where: data_dir.DataDir, running: state.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "AGAIN_SECONDS", 0.01)
    told = published.Published(where, dataclasses.replace(running, ready=False))
    in_the_way = where.state.with_name("state.json.part")
    in_the_way.mkdir()
    told.change(ready=True)
    before = state.read(where)
    in_the_way.rmdir()
    async with asyncio.timeout(5):
        while state.read(where) == before:  # noqa: ASYNC110  a file sets no event
            await asyncio.sleep(0.01)
    assert before is not None
    assert not before.ready
    assert state.read(where) == running


def test_a_short_path_holds_its_socket_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "LONGEST_BYTES", 4096)
    assert run_folder.make(tmp_path, None) == tmp_path / "run"


def test_a_long_path_has_its_socket_in_a_private_short_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    run = run_folder.make(folder, None)
    assert (len(str(run)) <= run_folder.LONGEST_BYTES, mode(run)) == (True, 0o700)
    assert run_folder.make(folder, None) == run
    run_folder.remove(folder)
    assert not run.exists()


def test_a_short_folder_that_others_may_enter_is_not_used_again(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    first = run_folder.make(folder, None)
    first.chmod(0o755)
    second = run_folder.make(folder, None)
    assert second != first
    first.rmdir()
    run_folder.remove(folder)

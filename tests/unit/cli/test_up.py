"""`gatepost up`, `status` and `down` as a person runs them, with stand-ins for the services and no databases."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

Eventually = Callable[[Callable[[], Any]], Any]
SERVICES = {"gateway": "gateway", "auth_service": "auth", "user_service": "users", "notify_service": "notify"}
NO_STORAGE = {
    "GATEPOST_AUTH_POSTGRES_DSN": "postgresql://nowhere/auth",
    "GATEPOST_USERS_POSTGRES_DSN": "postgresql://nowhere/users",
    "GATEPOST_NOTIFY_POSTGRES_DSN": "postgresql://nowhere/notify",
    "GATEPOST_VALKEY_URL": "redis://nowhere",
}


@dataclass(frozen=True)
class Command:
    """`gatepost` with one data folder."""

    data_dir: Path
    environment: dict[str, str]

    def argv(self, *arguments: str) -> list[str]:
        demo = ("--no-demo",) if arguments[0] == "up" else ()  # the stand-ins cannot make one
        return [sys.executable, "-m", "gatepost_cli", *arguments, *demo, "--data-dir", str(self.data_dir)]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*arguments),
            env=self.environment | environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def up(self, *arguments: str, **environment: str) -> dict[str, Any]:
        """Start detached on a free port; return the JSON answer."""
        done = self.run("up", "--port", "0", "--detach", "--json", *arguments, **environment)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return answer

    def supervisor(self) -> psutil.Process:
        return psutil.Process(int((self.data_dir / "lock").read_text(encoding="ascii")))


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose packages stand in for the services."""
    folder = tmp_path_factory.mktemp("services")
    source = Path(__file__).parent / "services" / "fake_service.py"
    (folder / source.name).write_bytes(source.read_bytes())
    for package, word in SERVICES.items():
        (folder / package).mkdir()
        (folder / package / "__init__.py").touch()
        (folder / package / "__main__.py").write_text(f"from fake_service import main\n\nmain({word!r})\n", "utf-8")
    return folder


@pytest.fixture
def command(services: Path, tmp_path: Path) -> Iterator[Command]:
    """Yield the command with a fresh data folder; whatever it left running is ended afterwards."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")}
    command = Command(tmp_path / "data", inherited | NO_STORAGE | {"PYTHONPATH": str(services)})
    yield command
    command.run("down")


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Return a function that asks again until the answer is true, for at most a minute."""

    def ask(question: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 60
        while not (answer := question()):
            assert time.monotonic() < deadline, "it never happened"
            time.sleep(0.05)
        return answer

    return ask


@pytest.fixture
def interrupted() -> Callable[[subprocess.Popen[str]], int]:
    """Return a function that presses Ctrl-C once and returns the exit status."""

    def press(process: subprocess.Popen[str]) -> int:
        process.send_signal(signal.SIGINT)
        return process.wait(20)

    return press


def by_name(answer: dict[str, Any], name: str) -> dict[str, Any]:
    return next(process for process in answer["processes"] if process["name"] == name)


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def memory_of(pid: int) -> bytes:
    """Return everything that a process may write to."""
    found = b""
    maps = Path(f"/proc/{pid}/maps").read_text("ascii").splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in maps:
            span, modes, *_ = line.split()
            if modes.startswith("rw"):
                start, end = (int(part, 16) for part in span.split("-"))
                memory.seek(start)
                found += memory.read(end - start)
    return found


def test_detached_up_returns_when_everything_is_ready(command: Command) -> None:
    answer = command.up("--auth", "2", "--gateways", "2")
    assert answer["ready"]
    assert [(each["name"], each["index"], each["healthy"]) for each in answer["processes"]] == [
        ("notify-service", 0, True),
        ("user-service", 0, True),
        ("auth-service", 0, True),
        ("auth-service", 1, True),
        ("gateway", 0, True),
        ("gateway", 1, True),
    ]
    with urllib.request.urlopen(f"{answer['url']}/readyz") as response:  # noqa: S310  our own URL
        assert response.read() == b"gateway"


def test_status_tells_by_its_exit_status_whether_all_is_ready(command: Command) -> None:
    assert command.run("status").returncode == 1
    command.up()
    assert command.run("status").returncode == 0
    assert command.run("down").returncode == 0
    assert command.run("status").returncode == 1


def test_down_stops_every_process(command: Command) -> None:
    processes = [psutil.Process(each["pid"]) for each in command.up()["processes"]]
    assert json.loads(command.run("down", "--json").stdout) == {"stopped": True}
    assert all(ended(process) for process in processes)


def test_down_succeeds_when_nothing_runs(command: Command) -> None:
    done = command.run("down", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"stopped": False})


def test_services_get_the_environment_of_the_command_and_their_addresses(command: Command, tmp_path: Path) -> None:
    answer = command.up("--users", "2", FAKE_REPORT=str(tmp_path), GATEPOST_CODE_LIFETIME_SECONDS="7")
    (report,) = (json.loads(path.read_text("utf-8")) for path in tmp_path.glob("auth-*.json"))
    users = ",".join(each["address"] for each in answer["processes"] if each["name"] == "user-service")
    assert report["GATEPOST_CODE_LIFETIME_SECONDS"] == "7"
    assert report["GATEPOST_USERS_TARGET"] == f"ipv4:{users}"
    assert report["GATEPOST_PUBLIC_URL"] == answer["url"]


def test_a_killed_service_is_started_again_at_the_same_address(command: Command, eventually: Eventually) -> None:
    before = by_name(command.up(), "auth-service")
    os.kill(before["pid"], signal.SIGKILL)
    eventually(lambda: by_name(command.status(), "auth-service")["pid"] not in {None, before["pid"]})
    after = eventually(lambda: (now := command.status())["ready"] and by_name(now, "auth-service"))
    assert after["address"] == before["address"]


@pytest.mark.skipif(sys.platform != "linux", reason="services are forked on Linux only")
def test_services_are_started_again_when_the_process_they_are_forked_from_is_killed(
    command: Command, eventually: Eventually
) -> None:
    before = {each["pid"] for each in command.up()["processes"]}
    (fork_server,) = command.supervisor().children()
    fork_server.kill()
    eventually(lambda: all(ended(psutil.Process(pid)) for pid in before if psutil.pid_exists(pid)))
    after = eventually(lambda: (now := command.status())["ready"] and now["processes"])
    assert before.isdisjoint(each["pid"] for each in after)


@pytest.mark.skipif(sys.platform != "linux", reason="services are forked on Linux only")
def test_a_service_has_nothing_of_the_environment_of_another(command: Command) -> None:
    answer = command.up()
    (secrets,) = (json.loads(path.read_text("utf-8")) for path in command.data_dir.glob("secrets.json"))
    key = secrets["master_key"].encode()
    memory = {name: memory_of(by_name(answer, name)["pid"]) for name in ("auth-service", "gateway")}
    assert key in memory["auth-service"]
    assert key not in memory["gateway"]


def test_services_can_be_started_without_forks(command: Command) -> None:
    command.up("--no-fork")
    assert len(command.supervisor().children()) == len(SERVICES)
    assert command.run("down").returncode == 0


def test_services_end_when_the_supervisor_is_killed(command: Command, eventually: Eventually) -> None:
    processes = [psutil.Process(each["pid"]) for each in command.up()["processes"]]
    command.supervisor().kill()
    eventually(lambda: all(ended(process) for process in processes))
    assert not command.status()["ready"]


def test_up_ends_what_a_killed_supervisor_left(command: Command) -> None:
    deaf = psutil.Process(by_name(command.up(FAKE_DEAF="users"), "user-service")["pid"])
    command.supervisor().kill()
    assert command.up(GATEPOST_SHUTDOWN_GRACE_SECONDS="1")["ready"]
    assert ended(deaf)


def test_a_second_up_on_one_data_folder_refuses(command: Command) -> None:
    command.up()
    refused = command.run("up", "--port", "0", "--json")
    assert refused.returncode == 1
    assert f"process {command.supervisor().pid}" in json.loads(refused.stdout)["error"]
    assert command.status()["ready"]


def test_a_port_in_use_is_named_before_anything_starts(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = command.run("up", "--port", str(port))
    assert refused.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use; choose another with --port" in refused.stderr
    assert "starting" not in refused.stderr


def test_a_service_that_cannot_start_is_named_with_its_last_lines(command: Command) -> None:
    failed = command.run("up", "--port", "0", "--detach", FAKE_EXIT="auth")
    assert failed.returncode == 1
    assert "auth-service cannot start: it exited with status 3" in failed.stderr
    assert "auth: no such setting" in failed.stderr
    assert command.status()["processes"] == []


def test_the_logs_of_a_detached_stack_lie_in_its_data_folder(command: Command) -> None:
    command.up()
    command.run("down")
    assert (command.data_dir / "logs" / "gateway.log").read_text("utf-8") == "gateway listens\ngateway stops\n"


def test_interrupt_stops_gateway_first_and_exits_with_zero(
    command: Command, interrupted: Callable[[subprocess.Popen[str]], int], tmp_path: Path, eventually: Eventually
) -> None:
    output = tmp_path / "output"
    with output.open("w") as stderr:
        process = subprocess.Popen(
            command.argv("up", "--port", "0"), env=command.environment, stderr=stderr, stdout=stderr, text=True
        )
        eventually(lambda: "Data folder" in output.read_text("utf-8"))
        status = interrupted(process)
    lines = [line for line in output.read_text("utf-8").splitlines() if line.endswith(" stops")]
    assert status == 0
    assert [line.split("|")[0].strip() for line in lines[:2]] == ["gateway", "auth-service"]
    assert {line.split("|")[0].strip() for line in lines[2:]} == {"user-service", "notify-service"}


def test_a_second_interrupt_kills_at_once(
    command: Command, interrupted: Callable[[subprocess.Popen[str]], int], tmp_path: Path, eventually: Eventually
) -> None:
    output = tmp_path / "output"
    with output.open("w") as stderr:
        process = subprocess.Popen(
            command.argv("up", "--port", "0"),
            env=command.environment | {"FAKE_DEAF": "gateway"},
            stderr=stderr,
            stdout=stderr,
            text=True,
        )
        eventually(lambda: "Data folder" in output.read_text("utf-8"))
        process.send_signal(signal.SIGINT)
        eventually(lambda: "stopping" in output.read_text("utf-8"))
        assert interrupted(process) == 0
    assert "killing what still runs" in output.read_text("utf-8")

"""What tests share: a PostgreSQL and a Valkey for each worker, and a whole stack for the tests that need one.

Everything is started when the first test asks for it and ends with the session. The servers are our own children, so
they end even when the session is killed. `GatepostStack` is the command `gatepost` as an operator runs it.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from gatepost_cli.embedded import postgres as embedded_postgres
from gatepost_cli.embedded import valkey as embedded_valkey
from gatepost_cli.embedded.postgres import PostgresServer

# gRPC's fork handlers now and then kill a child that is forked while calls are under way. Read when gRPC is imported.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
from runtime.credentials import ServiceKeys
from runtime.migrations import migrate

T = TypeVar("T")
PASSWORD = "a password of the tests"
SERVICE_KEY = "a-service-key-of-the-tests-alone-42-characters"
COMMAND_SECONDS = 120
_SHOWS_SECONDS = 1.0
# Cheap hashes and no limits in the way: tests of limits set their own.
STACK_SETTINGS = {
    "GATEPOST_ARGON2_MEMORY_KIB": "64",
    "GATEPOST_ARGON2_ITERATIONS": "1",
    "GATEPOST_SIGN_UPS_PER_ADDRESS": "1000000",
    "GATEPOST_SIGN_IN_FAILURES_PER_ADDRESS": "1000000",
    "GATEPOST_MAILS_PER_ADDRESS": "1000000",
}

PLAIN_SETTINGS = {"GATEPOST_COALESCING": "false", "GATEPOST_CACHE_SECONDS": "0"}


async def until_it_shows() -> None:
    """Wait until gateways answer by what was changed beside them, in a database or by RPC: a second, as promised."""
    await asyncio.sleep(_SHOWS_SECONDS)


def inherited_environment() -> dict[str, str]:
    """Return our environment without any setting of Gatepost's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")}


class TestPostgres:
    """A PostgreSQL server that gives away fresh databases. Its methods may be called inside a running event loop.

    Args:
        server: the running server.
        elsewhere: one thread, for event loops of our own.
    """

    __test__ = False

    def __init__(self, server: PostgresServer, elsewhere: ThreadPoolExecutor) -> None:
        self.server = server
        self._elsewhere = elsewhere
        self._numbers = count(1)
        self._templates: set[str] = set()

    def create_database(self, package: str | None = None) -> str:
        """Return the DSN of a new database, migrated as the package (`auth_service`) wants it; empty without one."""
        return self._elsewhere.submit(asyncio.run, self._create(package)).result()

    async def _create(self, package: str | None) -> str:
        template = "template0"
        if package is not None:
            template = f"template_{package}"
            if package not in self._templates:
                await self._execute(f'CREATE DATABASE "{template}"')
                await migrate(self.server.dsn_for(template), package)
                self._templates.add(package)
        name = f"test_{next(self._numbers)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return self.server.dsn_for(name)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server.dsn_for("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


class GatepostStack:
    """A running stack and the command that administers it.

    Args:
        data_dir: its data folder; None for one that the environment alone describes.
        environment: of every command.
    """

    def __init__(self, data_dir: Path | None, environment: dict[str, str]) -> None:
        self.data_dir = data_dir
        self.environment = environment
        self.url = ""

    def up(self, *arguments: str) -> dict[str, Any]:
        """Start it detached on a free port; return the answer of `status` with `demo` added."""
        answer = self.cli("up", "--detach", "--port", "0", *arguments)
        self.url = answer["url"]
        return answer

    def down(self) -> None:
        """Stop it."""
        self.cli("down")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `gatepost ARGUMENTS` on the data folder, whatever it exits with."""
        folder = () if self.data_dir is None else ("--data-dir", str(self.data_dir))
        return subprocess.run(
            [sys.executable, "-m", "gatepost_cli", *arguments, *folder],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=COMMAND_SECONDS,
        )

    def cli(self, *arguments: str) -> dict[str, Any]:
        """Run `gatepost ARGUMENTS --json`; return the answer. Fails with the output when the exit status is not 0."""
        done = self.run(*arguments, "--json")
        if done.returncode != 0:
            raise AssertionError(f"gatepost {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def outbox(self, to: str) -> list[dict[str, Any]]:
        """Return the messages to an address, newest first."""
        messages: list[dict[str, Any]] = self.cli("outbox", "list", "--to", to)["messages"]
        return messages

    def status(self) -> dict[str, Any]:
        """Return the answer of `gatepost status`, ready or not."""
        answer: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return answer


@pytest.fixture(scope="session")
def own_loop() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """Yield a function that runs a coroutine on a loop of the session's servers, in this thread."""
    loop = asyncio.new_event_loop()
    yield loop.run_until_complete
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, own_loop: Callable[..., Any]) -> Iterator[TestPostgres]:
    folder = tmp_path_factory.mktemp("postgres")
    server = own_loop(embedded_postgres.start(folder, password=PASSWORD, durable=False, max_connections=300))
    try:
        with ThreadPoolExecutor(1, "databases") as elsewhere:
            yield TestPostgres(server, elsewhere)
    finally:
        own_loop(server.stop())


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory, own_loop: Callable[..., Any]) -> Iterator[Callable[[], str]]:
    """Yield a function that returns the URL of a database of its own, empty, on this worker's Valkey."""
    server = own_loop(embedded_valkey.start(tmp_path_factory.mktemp("valkey"), password=PASSWORD, durable=False))
    numbers = count(1)
    try:
        yield lambda: server.url.replace("?db=0", f"?db={next(numbers)}")
    finally:
        own_loop(server.stop())


@pytest.fixture(scope="session")
def service_keys() -> ServiceKeys:
    return ServiceKeys([SERVICE_KEY])


@contextmanager
def stacks(factory: pytest.TempPathFactory) -> Iterator[Callable[..., GatepostStack]]:
    """Yield a function that returns a stack which is not started yet; keywords are settings. All are stopped."""
    made: list[GatepostStack] = []

    def make(**settings: str) -> GatepostStack:
        environment = inherited_environment() | STACK_SETTINGS | settings
        made.append(GatepostStack(factory.mktemp("stack") / "data", environment))
        return made[-1]

    try:
        yield make
    finally:
        for each in made:
            each.run("down")


@pytest.fixture(scope="module")
def make_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., GatepostStack]]:
    """Yield what makes stacks for the tests of a module: those that are done with take no time from others."""
    with stacks(tmp_path_factory) as make:
        yield make


@pytest.fixture(scope="module")
def pairs(make_stack: Callable[..., GatepostStack]) -> GatepostStack:
    """Return a module's stack with two instances of each service."""
    stack = make_stack(GATEPOST_CACHE_SECONDS="0")  # each request asks the services
    stack.up("--no-demo", *(f"--{kind}=2" for kind in ("gateways", "auth", "users", "notify")))
    return stack


@pytest.fixture(scope="session")
def make_lasting_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., GatepostStack]]:
    """Yield what makes stacks that several modules share."""
    with stacks(tmp_path_factory) as make:
        yield make


@pytest.fixture(scope="session")
def stack(make_lasting_stack: Callable[..., GatepostStack]) -> GatepostStack:
    """Return this worker's running stack. Tests share it: each makes its own project, or its own users.

    With GATEPOST_TEST_SINGLE_PROCESS=1 its services are one process, with GATEPOST_TEST_PLAIN=1 nothing goes together
    and nothing is remembered.
    """
    shared = make_lasting_stack(**(PLAIN_SETTINGS if os.environ.get("GATEPOST_TEST_PLAIN") == "1" else {}))
    shared.up(*(["--single-process"] if os.environ.get("GATEPOST_TEST_SINGLE_PROCESS") == "1" else []))
    return shared

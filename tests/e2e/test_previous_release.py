"""The release before and this one side by side, on the tables of this one: a rollout, and its way back, under flow.

The release before is the newest tag of the history; until there is one, the commit that `previous_release` names, or,
if the history does not have it, the one before the last that touched migrations or the contract. Its services run from
an archive of it, with the packages of this environment. Everything speaks this release's tables; service by service
the code is exchanged, and exchanged back, while people sign in, refresh, read and change their profiles.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout
from conftest import SERVICE_KEY, STACK_SETTINGS, GatepostStack, inherited_environment
from dialects.ihopr_client import App, Ihopr, app_maker
from free_ports import free_ports

from runtime.migrations import migrate

ROOT = Path(__file__).parents[2]
NAMED = Path(__file__).with_name("previous_release")
SERVICES = {"notify": "notify_service", "users": "user_service", "auth": "auth_service", "gateway": "gateway"}
PATHS = ("proto", "runtime/src", "auth-service/src", "user-service/src", "notify-service/src", "gateway/src")
PEOPLE = 3
PAUSE_SECONDS = 0.05
START_SECONDS = 60
SETTLE_SECONDS = 0.5


def git(*arguments: str) -> str:
    """Return what git says, without its last line's end; empty if it fails."""
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def previous() -> str:
    """Return the commit of the release before."""
    if not git("rev-parse", "--git-dir") or git("rev-parse", "--is-shallow-repository") == "true":
        pytest.skip("THE RELEASE BEFORE IS NOT TESTED: this tree comes without its history")
    last = git("log", "-1", "--format=%H", "HEAD^", "--", "*/migrations/*.sql", "proto/gatepost/**/*.proto")
    for name in (git("describe", "--tags", "--abbrev=0", "HEAD^"), NAMED.read_text(encoding="ascii").strip(), last):
        if name and (commit := git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")):
            return commit
    raise AssertionError("the history has no release before this one")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return where Python finds each release."""
    folder = tmp_path_factory.mktemp("previous")
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", previous()], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return {
        "before": os.pathsep.join(str(folder / path) for path in PATHS),
        "this": os.pathsep.join(str(ROOT / path) for path in PATHS),
    }


class Door:
    """An address that stays while who is behind it changes: a connection goes to whoever is there when it is made."""

    def __init__(self) -> None:
        self.port = 0
        self.behind = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Let connections in."""
        server = await asyncio.start_server(self._enter, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            theirs, to = await asyncio.open_connection("127.0.0.1", self.behind)
        except OSError:
            writer.close()
            return
        await asyncio.gather(passed(reader, to), passed(theirs, writer))


async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until either side has enough."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@dataclass
class Rollout:
    """A door for each service, and who is behind it."""

    release: dict[str, str]
    environment: dict[str, str]
    doors: dict[str, Door]
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    going: list[asyncio.subprocess.Process] = field(default_factory=list)
    url: str = ""

    async def start(self, word: str, which: str) -> None:
        """Start an instance, wait until it is ready, and let it have what comes from now on."""
        port, metrics = free_ports(2)
        environment = self.environment | {
            "PYTHONPATH": self.release[which],
            f"GATEPOST_{word.upper()}_LISTEN": f"127.0.0.1:{port}",
            f"GATEPOST_{word.upper()}_METRICS_LISTEN": f"127.0.0.1:{metrics}",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", SERVICES[word], env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        if word in self.running:
            self.going.append(self.running.pop(word))
        self.running[word] = process
        await ready(metrics, process)
        self.doors[word].behind = port
        if word == "gateway":
            self.url = f"http://127.0.0.1:{port}"

    async def exchange(self, word: str, which: str) -> None:
        """Put another release's instance in place of the one there is."""
        await self.start(word, which)
        await asyncio.sleep(SETTLE_SECONDS)
        before = self.going.pop()
        before.send_signal(signal.SIGTERM)
        assert await before.wait() == 0
        await asyncio.sleep(SETTLE_SECONDS)

    async def stop(self) -> None:
        """End what runs."""
        for process in (*self.running.values(), *self.going):
            if process.returncode is None:
                process.kill()
            await process.wait()


async def ready(metrics: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_SECONDS), ClientSession() as session:
        while process.returncode is None:
            try:
                async with session.get(f"http://127.0.0.1:{metrics}/readyz") as answer:
                    if answer.status == 200:
                        return
            except ClientError:
                pass
            await asyncio.sleep(0.05)
    raise AssertionError(f"ended with {process.returncode}")


@asynccontextmanager
async def rolled_out(
    release: dict[str, str], postgres: Any, valkey_url: Callable[[], str], media: Path
) -> AsyncIterator[Rollout]:
    """Yield the release before, running on tables of this one."""
    doors = {word: Door() for word in SERVICES}
    environment = inherited_environment() | STACK_SETTINGS | {"GATEPOST_SERVICE_KEYS": SERVICE_KEY}
    environment |= {"GATEPOST_MASTER_KEY": SERVICE_KEY, "GATEPOST_VALKEY_URL": valkey_url()}
    environment |= {"GATEPOST_USERS_MEDIA_DIR": str(media), "GATEPOST_OUTBOX_PAGE": "true"}
    async with AsyncExitStack() as ending:
        for word, door in doors.items():
            await ending.enter_async_context(door.open())
            if word != "gateway":
                dsn = environment[f"GATEPOST_{word.upper()}_POSTGRES_DSN"] = postgres.create_database()
                await migrate(dsn, SERVICES[word])
                environment[f"GATEPOST_{word.upper()}_TARGET"] = f"ipv4:127.0.0.1:{door.port}"
        rollout = Rollout(release, environment, doors)
        ending.push_async_callback(rollout.stop)
        for stage in (("notify", "users"), ("auth",), ("gateway",)):
            await asyncio.gather(*(rollout.start(word, "before") for word in stage))
        yield rollout


@dataclass
class Flow:
    """What people did, and what they met."""

    done: int = 0
    failures: list[str] = field(default_factory=list)


async def live(session: ClientSession, rollout: Rollout, app: App, flow: Flow, over: asyncio.Event) -> None:
    """Sign up once, then sign in, read, change and refresh, again and again."""
    person, first = await Ihopr(session, rollout.url).signed_in(app)
    refresh = first["refresh_token"]
    while not over.is_set():
        client = Ihopr(session, rollout.url)
        try:
            tokens = await client.signed_in_again(app, person)
            name = f"Ann {flow.done}"
            await client.success("PUT", "user/update", {"first_name": name}, token=tokens["access_token"])
            user = (await client.success("GET", "user", token=tokens["access_token"]))["user"]
            assert user["first_name"] == name, user
            again = await client.success("POST", "refresh-token", app.credentials | {"refresh_token": refresh})
            refresh = again["refresh_token"]
            flow.done += 1
        except (AssertionError, ClientError, TimeoutError) as error:
            flow.failures.append(f"{type(error).__name__}: {error}")
        await asyncio.sleep(PAUSE_SECONDS)
    await Ihopr(session, rollout.url).success("POST", "refresh-token", app.credentials | {"refresh_token": refresh})


async def test_a_rollout_and_its_way_back_fail_no_request_and_lose_no_session(
    release: dict[str, str], postgres: Any, valkey_url: Callable[[], str], tmp_path: Path
) -> None:
    async with AsyncExitStack() as ending:
        rollout = await ending.enter_async_context(rolled_out(release, postgres, valkey_url, tmp_path / "media"))
        session = await ending.enter_async_context(ClientSession(timeout=ClientTimeout(20)))
        app = await asyncio.to_thread(app_maker(GatepostStack(None, rollout.environment)))
        stays = (await Ihopr(session, rollout.url).signed_in(app))[1]
        flow, over = Flow(), asyncio.Event()
        living = [asyncio.create_task(live(session, rollout, app, flow, over)) for _ in range(PEOPLE)]
        try:
            for which in ("this", "before"):
                for word in SERVICES:
                    await rollout.exchange(word, which)
        finally:
            over.set()
            await asyncio.gather(*living)
        assert flow.failures == []
        assert flow.done > 2 * len(SERVICES)
        await Ihopr(session, rollout.url).success("GET", "user", token=stays["access_token"])

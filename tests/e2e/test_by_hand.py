"""The services without a supervisor: each started with its environment and nothing else, in the least helpful order."""

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import Ihopr, app_maker
from free_ports import free_ports

from gatepost_cli import ports, probes

KEY = "a-service-key-given-by-hand-to-every-service"
START_SECONDS = 60
MODULES = {"gateway": "gateway", "auth": "auth_service", "users": "user_service", "notify": "notify_service"}


async def launch(module: str, environment: Mapping[str, str]) -> Process:
    """Start a service. The environment is complete: not even PATH is inherited."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=environment, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
    )


async def ready(metrics: str) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not await probes.http_ready(f"http://{metrics}"):  # noqa: ASYNC110  another process sets no event
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def environments(postgres: Any, valkey_url: Callable[[], str]) -> dict[str, dict[str, str]]:
    """Return each service's environment."""
    free = iter(free_ports(8))
    listen = {word: f"{ports.LOOPBACK}:{next(free)}" for word in MODULES}
    target = {f"GATEPOST_{word.upper()}_TARGET": f"ipv4:{listen[word]}" for word in ("auth", "users", "notify")}
    environments = {
        word: {
            "GATEPOST_SERVICE_KEYS": KEY,
            f"GATEPOST_{word.upper()}_LISTEN": listen[word],
            f"GATEPOST_{word.upper()}_METRICS_LISTEN": f"{ports.LOOPBACK}:{next(free)}",
        }
        for word in MODULES
    }
    for word in ("auth", "users", "notify"):
        environments[word][f"GATEPOST_{word.upper()}_POSTGRES_DSN"] = postgres.create_database()
    environments["auth"] |= target | {"GATEPOST_VALKEY_URL": valkey_url(), "GATEPOST_MASTER_KEY": "m" * 32}
    environments["gateway"] |= target | {"GATEPOST_OUTBOX_PAGE": "true"}
    return environments


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def processes(environments: dict[str, dict[str, str]]) -> AsyncIterator[dict[str, Process]]:
    """Yield the running services: the gateway first, and those it needs after it."""
    running = {word: await launch(module, environments[word]) for word, module in MODULES.items()}
    try:
        for word in MODULES:
            await ready(environments[word][f"GATEPOST_{word.upper()}_METRICS_LISTEN"])
        yield running
    finally:
        for process in running.values():
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def test_services_started_by_hand_serve_an_app_together(
    processes: dict[str, Process], environments: dict[str, dict[str, str]]
) -> None:
    command = GatepostStack(None, {**environments["gateway"], "GATEPOST_DATA_DIR": "/nonexistent"})
    make_app = app_maker(command)
    app, otp_app = [await asyncio.to_thread(make_app, policy) for policy in ("none", "otp")]
    async with ClientSession() as session:
        client = Ihopr(session, f"http://{environments['gateway']['GATEPOST_GATEWAY_LISTEN']}")
        person, tokens = await client.signed_in(app)
        assert tokens["user"]["email"] == person.email
        newcomer, asked = await client.signup(otp_app)
        code = await client.mailed_code(newcomer.email)
        answer = await client.success("POST", "otp-code", {"otp_code": code, "otp_token": asked["otp_token"]})
        assert (await client.exchange(otp_app, answer["code"]))["user"]["email"] == newcomer.email


@pytest.mark.parametrize("word", MODULES)
async def test_a_service_that_is_told_to_stop_ends_with_zero_and_comes_back(
    processes: dict[str, Process], environments: dict[str, dict[str, str]], word: str
) -> None:
    processes[word].send_signal(signal.SIGTERM)
    async with asyncio.timeout(15):
        _, errors = await processes[word].communicate()
    assert (processes[word].returncode, errors) == (0, b"")
    processes[word] = await launch(MODULES[word], environments[word])
    await ready(environments[word][f"GATEPOST_{word.upper()}_METRICS_LISTEN"])


@pytest.mark.parametrize("module", MODULES.values())
async def test_a_service_without_settings_names_what_it_lacks(module: str) -> None:
    process = await launch(module, {})
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"GATEPOST_SERVICE_KEYS is required." in errors

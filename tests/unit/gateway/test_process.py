"""The gateway as a process: `python -m gateway`, its log, its signals and its exit status."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientError, ClientSession
from dialects.local_gateway import NOBODY, SERVICE_KEYS

SETTINGS = {
    "GATEPOST_SERVICE_KEYS": SERVICE_KEYS,
    "GATEPOST_GATEWAY_LISTEN": "127.0.0.1:0",
    "GATEPOST_GATEWAY_METRICS_LISTEN": "127.0.0.1:0",
    "GATEPOST_AUTH_TARGET": NOBODY,
    "GATEPOST_USERS_TARGET": NOBODY,
    "GATEPOST_NOTIFY_TARGET": NOBODY,
}


@dataclass
class Running:
    """A gateway process and what it wrote so far."""

    process: asyncio.subprocess.Process
    url: str
    lines: list[dict[str, object]] = field(default_factory=list)

    async def line(self) -> dict[str, object]:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            self.lines.append(json.loads(await self.process.stdout.readline()))
        return self.lines[-1]


async def start(**settings: str) -> asyncio.subprocess.Process:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env=clean | SETTINGS | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(**settings: str) -> AsyncIterator[Running]:
    gateway = Running(await start(**settings), "")
    try:
        gateway.url = f"http://127.0.0.1:{(await gateway.line())['port']}"
        yield gateway
    finally:
        if gateway.process.returncode is None:
            gateway.process.kill()
        await gateway.process.communicate()


async def test_it_starts_without_its_services_and_ends_cleanly_when_told() -> None:
    async with running() as gateway, ClientSession(gateway.url) as client:
        async with client.get("/healthz") as answer:
            assert answer.status == 200
        gateway.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await gateway.process.wait() == 0
        with pytest.raises(ClientError):
            await client.get("/healthz")


async def test_each_request_is_one_json_line_with_its_id_and_without_its_query() -> None:
    async with running() as gateway, ClientSession(gateway.url) as client:
        async with client.post("/api/v1/login?password=hunter2", json={"password": "hunter3"}) as answer:
            request_id = answer.headers["X-Request-Id"]
        line = await gateway.line()
    assert (line["event"], line["request_id"], line["service"]) == ("request", request_id, "gateway")
    assert (line["method"], line["path"], line["status"]) == ("POST", "/api/v1/login", 422)
    assert (line["dialect"], line["reason"], line["client_address"]) == ("ihopr", "missing_parameter", "127.0.0.1")
    assert "hunter" not in str(gateway.lines)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"GATEPOST_SERVICE_KEYS": "short"}, "GATEPOST_SERVICE_KEYS"),
        ({"GATEPOST_TRUSTED_PROXIES": "everybody"}, "GATEPOST_TRUSTED_PROXIES is wrong"),
        ({"AIOHTTP_NO_EXTENSIONS": "1"}, "C parser"),
    ],
)
async def test_it_says_why_it_cannot_start(wrong: dict[str, str], sentence: str) -> None:
    process = await start(**wrong)
    out, err = await process.communicate()
    assert process.returncode in {1, 2}
    assert sentence in (out + err).decode()
    assert b"Traceback" not in out + err

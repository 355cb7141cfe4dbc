"""All services in one process: the same answers, the same administration, one process to look after."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, Person, app_maker
from prometheus_client.parser import text_string_to_metric_families

SERVICES = {"gateway", "auth-service", "user-service", "notify-service"}
BACK_SECONDS = 60
RECEIVED_SECONDS = 0.3  # for what is sent to be read


@pytest.fixture(scope="module")
def one(make_stack: Callable[..., GatepostStack]) -> GatepostStack:
    stack = make_stack()
    stack.up("--no-demo", "--single-process")
    return stack


@pytest_asyncio.fixture(loop_scope="session")
async def client(one: GatepostStack) -> AsyncIterator[Ihopr]:
    async with ClientSession(timeout=ClientTimeout(20)) as session:
        yield Ihopr(session, one.url)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(one: GatepostStack) -> App:
    made: App = await asyncio.to_thread(app_maker(one))
    return made


def test_status_lists_every_service_with_the_same_process(one: GatepostStack) -> None:
    listed = [each for each in one.status()["processes"] if each["name"] in SERVICES]

    assert {each["name"] for each in listed} == SERVICES
    assert len({each["pid"] for each in listed}) == 1
    assert len({each["address"] for each in listed}) == len({each["metrics"] for each in listed}) == len(SERVICES)
    assert all(each["healthy"] for each in listed)


async def test_people_sign_up_and_in_and_see_their_profiles(one: GatepostStack, client: Ihopr, app: App) -> None:
    person, tokens = await client.signed_in(app)

    answer = await client.success("GET", "user", token=tokens["access_token"])

    assert answer["user"]["email"] == person.email
    assert (await client.mailed(person.email, "confirm_email"))["link"]


async def test_a_calling_service_has_no_connection_to_the_called(one: GatepostStack, client: Ihopr, app: App) -> None:
    await client.signed_in(app)

    process = psutil.Process(pid_of(one))
    own = {each.laddr for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
    assert len(own) == 2 * len(SERVICES)
    assert not [each for each in process.net_connections("tcp") if each.raddr in own]


async def test_what_changes_is_heard_within_the_process(one: GatepostStack, client: Ihopr, app: App) -> None:
    _, tokens = await client.signed_in(app)
    metrics = next(each["metrics"] for each in one.status()["processes"] if each["name"] == "gateway")
    async with asyncio.timeout(10), ClientSession() as session:
        heard: set[str] = set()
        while heard < {"auth-service", "user-service"}:
            await client.success("GET", "user", token=tokens["access_token"])
            async with session.get(f"{metrics}/metrics") as answer:
                families = text_string_to_metric_families(await answer.text())
            samples = [each for family in families for each in family.samples]
            heard = {
                each.labels["service"] for each in samples if each.name == "gatepost_watch_connected" and each.value
            }


async def test_each_line_of_the_log_names_its_service(one: GatepostStack, client: Ihopr, app: App) -> None:
    person, _ = await client.signed_in(app)
    await asyncio.to_thread(one.outbox, person.email)
    await asyncio.sleep(RECEIVED_SECONDS)
    assert one.data_dir is not None
    text = (one.data_dir / "logs" / "all-in-one.log").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]

    assert {line["service"] for line in lines if line["event"] == "started"} == SERVICES
    assert {line["service"] for line in lines if line["event"] == "request"} == {"gateway"}
    assert {line["service"] for line in lines if line["event"] == "delivery"} == {"notify-service"}


async def test_a_killed_process_comes_back(one: GatepostStack, client: Ihopr, app: App) -> None:
    person, _ = await client.signed_in(app)
    killed = pid_of(one)

    os.kill(killed, signal.SIGKILL)
    await back(one, killed)

    assert (await client.signed_in_again(app, person))["user"]["email"] == person.email


async def test_a_process_asked_to_stop_answers_what_is_under_way(one: GatepostStack, client: Ihopr, app: App) -> None:
    person, _ = await client.signed_in(app)
    asked = pid_of(one)
    reader, writer = await asking(one.url)
    body = sign_in(app, person)
    writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:5])
    await asyncio.sleep(RECEIVED_SECONDS)

    os.kill(asked, signal.SIGTERM)
    await asyncio.sleep(RECEIVED_SECONDS)
    writer.write(body[5:])

    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    writer.close()
    await back(one, asked)


def test_several_instances_are_refused(one: GatepostStack) -> None:
    done = one.run("up", "--single-process", "--auth", "2")

    assert done.returncode == 2
    assert "--single-process holds one instance of each service" in " ".join(done.stderr.split())


def test_it_starts_again_as_processes_of_their_own_and_back(one: GatepostStack) -> None:
    one.down()
    apart = one.up("--no-demo")
    one.down()
    together = one.up("--no-demo", "--single-process")

    count = [len({each["pid"] for each in up["processes"] if each["name"] in SERVICES}) for up in (apart, together)]
    assert count == [4, 1]


async def asking(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin to ask for a session; what comes next is the length of the body."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        f"POST /api/v1/login HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        "Connection: close\r\n".encode()
    )
    return reader, writer


def sign_in(app: App, person: Person) -> bytes:
    return json.dumps(app.credentials | {"email": person.email, "password": person.password}).encode()


def pid_of(stack: GatepostStack) -> int:
    return int(gateway_of(stack)["pid"])


def gateway_of(stack: GatepostStack) -> dict[str, Any]:
    return next(each for each in stack.status()["processes"] if each["name"] == "gateway")


async def back(stack: GatepostStack, before: int) -> None:
    """Wait until another process has taken the place of one that ended."""
    async with asyncio.timeout(BACK_SECONDS):
        while True:
            status = await asyncio.to_thread(stack.status)
            services = [each for each in status["processes"] if each["name"] in SERVICES]
            there = {each["name"] for each in services if each["healthy"] and each["pid"] != before}
            if there == SERVICES:
                return
            await asyncio.sleep(0.1)

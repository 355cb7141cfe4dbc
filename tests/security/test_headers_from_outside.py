"""Headers that only our own side may set, sent by anybody: they change nothing that is recorded, mailed or linked."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, app_maker, new_email
from dialects.local_gateway import local_gateway
from security.raw_http import get, post, say
from unit.gateway.toy import toy

FORGED = "203.0.113.66"
NAME = "forged.example"
HEADERS = {
    "X-Forwarded-For": FORGED,
    "X-Forwarded-Host": NAME,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": "/forged",
    "X-Original-URL": "/forged",
    "X-Rewrite-URL": "/forged",
    "Forwarded": f"for={FORGED};host={NAME};proto=https",
    "X-Real-IP": FORGED,
    "X-Client-IP": FORGED,
    "True-Client-IP": FORGED,
    "CF-Connecting-IP": FORGED,
    "X-Request-Id": "forged-request-id",
    "X-Correlation-Id": "forged-request-id",
    "Gatepost-Client-Address": FORGED,
    "Gatepost-Request-Id": "forged-request-id",
    "Gatepost-Project": "forged",
    "X-Gatepost-Project": "forged",
    "X-Gatepost-Client-Address": FORGED,
    "X-HTTP-Method-Override": "DELETE",
    "X-Method-Override": "DELETE",
}


@pytest.fixture(scope="module")
def app(stack: GatepostStack) -> App:
    return app_maker(stack)("otp")


async def test_nothing_that_is_recorded_or_mailed_is_what_a_client_forged(stack: GatepostStack, app: App) -> None:
    email = new_email()
    person = {"email": email, "password": "tunnel-lantern-42", "first_name": "A", "last_name": "B", "mobile_number": 1}
    lines = [f"{name}: {value}" for name, value in HEADERS.items()]
    port = urlsplit(stack.url).port or 0
    request = post("/api/v1/signup", json.dumps(app.credentials | person).encode(), "application/json", *lines)
    heard = await say(port, request.replace(b"Host: gatepost.example", f"Host: {NAME}".encode()))
    assert heard.statuses == [200], heard
    assert b"forged" not in heard.raw
    async with ClientSession() as session:
        ihopr = Ihopr(session, stack.url)
        await ihopr.mailed_code(email)
        mails = json.dumps(await ihopr.mails(email))
    assert FORGED not in mails
    assert "forged" not in mails
    recorded = await asyncio.to_thread(stack.run, "audit", "tail", "--json")
    assert FORGED not in recorded.stdout
    assert "forged" not in recorded.stdout


async def test_links_in_mails_lead_to_the_configured_url_whatever_the_host(stack: GatepostStack) -> None:
    project = f"p{uuid4().hex[:12]}"
    await asyncio.to_thread(stack.cli, "project", "create", project, "--sign-in", "none")
    email = new_email()
    body = {"email": email, "password": "tunnel-lantern-42", "name": "Ann Lee", "id_location": "7"}
    path = f"/t/{project}/api/v2/auth/register"
    request = post(path, json.dumps(body).encode()).replace(b"Host: gatepost.example", f"Host: {NAME}".encode())
    assert (await say(urlsplit(stack.url).port or 0, request)).statuses == [200]
    messages: list[dict[str, Any]] = []
    for _ in range(50):
        messages = await asyncio.to_thread(stack.outbox, email)
        if messages:
            break
        await asyncio.sleep(0.1)
    links = [message["link"] for message in messages if message["link"]]
    assert links
    assert all(link.startswith(f"{stack.url}/") for link in links), links


@pytest.mark.parametrize("trusted", ["", "127.0.0.0/8"])
async def test_only_a_trusted_proxy_says_who_calls_and_what_a_request_is_called(trusted: str) -> None:
    lines = [f"{name}: {value}" for name, value in HEADERS.items()]
    async with local_gateway((toy(),), trusted_proxies=trusted) as gateway:
        seen = json.loads((await say(gateway.port, get("/toy/facts", *lines))).body)
    assert (seen["client_address"], seen["request_id"] == "forged-request-id") == (
        (FORGED, True) if trusted else ("127.0.0.1", False)
    )
    assert (seen["internal"], seen["host"], seen["mount"]) == ("", "x", "")


@pytest.mark.parametrize("value", ["", "unknown", "203.0.113.66, ", "a" * 5000, "[::1", "1.2.3.4:5", "203.0.113.66;x"])
async def test_a_forwarded_address_that_is_none_is_ignored(value: str) -> None:
    async with local_gateway((toy(),), trusted_proxies="127.0.0.0/8") as gateway:
        heard = await say(gateway.port, get("/toy/facts", f"X-Forwarded-For: {value}"))
    assert json.loads(heard.body)["client_address"] == "127.0.0.1"

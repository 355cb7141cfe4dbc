"""The published JavaScript samples of iHopr, run by a browser on a page of another origin that an app lists."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from browser.app_site import AppSite, app_site
from browser.visitor import Visitor
from conftest import GatepostStack
from dialects.ihopr_client import CHALLENGE, PASSWORD, VERIFIER

# As published, with another host and other values; `body: body` is what the page says, JSON.stringify what it means.
SAMPLE = """
async ({{url: address, body}}) => {{
const url = new URL(address);
let headers = {{
"Content-Type": "application/json",
"Accept": "application/json",
}}
return fetch(url, {{
method: "POST",
headers: headers,
body: {body}
}})
.then(response => response.json());
}}
"""


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[AppSite]:
    async with app_site() as running:
        yield running


async def run(visitor: Visitor, path: str, body: dict[str, Any], *, sent: str = "JSON.stringify(body)") -> Any:
    url = f"{visitor.stack.url}/api/v1/{path}"
    return await visitor.page.evaluate(SAMPLE.format(body=sent), {"url": url, "body": body})


def public_app(stack: GatepostStack, origin: str) -> dict[str, str]:
    return stack.cli("app", "create", "Page", "--project", "default", "--type", "public", "--origin", origin)


async def test_a_page_of_a_listed_origin_signs_up_and_gets_tokens(visitor: Visitor, site: AppSite) -> None:
    app = await asyncio.to_thread(public_app, visitor.stack, site.origin)
    await visitor.open(site.origin)
    client = {"client_id": app["client_id"], "client_secret": ""}
    person = {"email": f"{uuid4().hex[:12]}@example.com", "password": PASSWORD}
    names = {"first_name": "FName", "last_name": "LName", "mobile_number": 11223344, "meta": '{"address":"NJ"}'}
    signed_up = await run(visitor, "signup", client | person | names | {"code_challenge": CHALLENGE})
    assert signed_up["project_type"] == "none"
    tokens = await run(visitor, "api-tauth-token", client | {"code": signed_up["code"], "code_verifier": VERIFIER})
    assert tokens["user"]["email"] == person["email"]


async def test_a_body_that_was_never_serialised_is_told_so(visitor: Visitor, site: AppSite) -> None:
    app = await asyncio.to_thread(public_app, visitor.stack, site.origin)
    await visitor.open(site.origin)
    refused = await run(visitor, "login", {"client_id": app["client_id"]}, sent="body")
    assert refused == {"status": "error", "message": "The request body must be a JSON object."}


async def test_a_page_of_another_origin_reads_nothing(visitor: Visitor) -> None:
    async with app_site() as stranger:
        await visitor.open(stranger.origin)
        with pytest.raises(Exception, match="Failed to fetch"):
            await run(visitor, "login", {"client_id": "1"})
    assert any("CORS" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()

"""The published samples of Sngine's "Log in with": every sample request is taken, every sample answer comes back."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.redirect_client import Site
from dialects.sngine_client import Sngine

GOLDEN = Path(__file__).parent / "golden" / "sngine"
# Ours, beside what was published: of OAuth 2.0, and what Sngine's own client reads.
ADDITIVE = {"token_type", "expires_in", "profile_picture", "profile_cover"}


def sample(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return document


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items() if key not in ADDITIVE}
    return type(value).__name__


async def test_the_published_walk(make_site: Any, session: ClientSession, stack: GatepostStack) -> None:
    """Log in, get the key, exchange it, read who it is: each with the sample's own parameters."""
    published = urlsplit(sample("oauth")["redirect"])
    site: Site = make_site(redirect_url=published._replace(query="").geturl())
    sngine = Sngine(site, session, stack.url)
    asked = sample("oauth")["request"]
    query = asked["query"] | {"app_id": site.app.client_id}
    sent_back = await site.allowed(await site.browser(await site.person()), asked["path"], **query)
    assert re.fullmatch(re.escape(published.geturl()).replace("AUTH_KEY", "[0-9a-f]{64}"), sent_back.location)

    real = sngine.credentials | {"auth_key": sent_back.parameters["auth_key"]}
    assert set(real) == set(sample("authorize")["request"]["query"])
    token = await sngine.ask("authorize", **real)
    assert (token.status, shape(token.body)) == (200, shape(sample("authorize")["answers"][0]))

    told = await sngine.ask("get_user_info", access_token=token.body["access_token"])
    assert (told.status, shape(told.body)) == (200, shape(sample("get_user_info")["answers"][0]))
    assert told.headers["Content-Type"] == "application/json"

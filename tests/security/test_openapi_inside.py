"""What the OpenAPI documents promise of those who are let in: random requests with real credentials, every dialect.

`dialects/test_openapi` asks as a stranger. Here apps, keys and tokens are real, and other values are now and then, so
that what is refused is refused by the rules behind the door.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
import schemathesis
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import PASSWORD, Ihopr, app_maker
from dialects.ossn_client import new_site
from dialects.redirect_client import site_maker
from dialects.shoop_client import new_market
from dialects.sngine_client import Sngine
from dialects.test_openapi import CHECKS
from dialects.vorgid_client import SCOPES, Vorgid
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from security.fuzzing import FULL
from security.watching import Watched, watching

from gateway.dialects import DIALECTS
from gateway.openapi import document

EXAMPLES = 300 if FULL else 6
MORE_MEMORY = 40 * 1024 * 1024  # what it remembers of tokens and profiles comes to that
_LAST = ("logout", "delete")  # end what the others need


@dataclass(frozen=True)
class Inside:
    """Somebody whom a dialect lets in.

    Attributes:
        base: URL below which he asks.
        headers: that he shows.
        known: values that he knows, by parameter.
    """

    base: str
    headers: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module", autouse=True)
def watched(stack: GatepostStack) -> Iterator[Watched]:
    """Watch while the tests of this module run, and judge: everybody else is served, and the gateway does not grow."""
    gateway = next(each for each in stack.status()["processes"] if each["name"] == "gateway")
    with watching([f"{stack.url}/healthz"], gateway["pid"]) as seen:
        yield seen
    seen.judge(more=MORE_MEMORY, kept=MORE_MEMORY)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def insiders(stack: GatepostStack) -> Mapping[str, Inside]:
    """Return one for each dialect."""
    async with ClientSession() as session:
        ihopr, app = (
            Ihopr(session, stack.url),
            app_maker(stack)("none", "--role", "user", "--self-assignable-role", "user"),
        )
        person, tokens = await ihopr.signed_in(app)
        who = {"email": person.email, "password": PASSWORD, "current_password": PASSWORD}
        site = new_site(stack, session, "strict")
        user = site.user()
        guid = str((await site.details(username=user.username)).payload["guid"])
        market = new_market(stack, session, "strict")
        email, key = await market.registered()
        other = site_maker(stack, session)(*SCOPES)
        vorgid, sngine = Vorgid(other, session, stack.url), Sngine(other, session, stack.url)
        _, vorgid_token = await vorgid.signed_in()
        _, sngine_token = await sngine.signed_in()
        return {
            "ihopr": Inside(
                stack.url,
                {"Authorization": f"Bearer {tokens['access_token']}"},
                app.credentials | who | {"refresh_token": tokens["refresh_token"], "role": "user"},
            ),
            "ossn": Inside(
                f"{stack.url}/t/{site.project}",
                {},
                {"api_key_token": site.key, "username": user.username, "guid": guid},
            ),
            "shoop": Inside(
                f"{stack.url}/t/{market.project}", {"X-API-KEY": key}, {"email": email, "password": PASSWORD}
            ),
            "sngine": Inside(stack.url, {}, sngine.credentials | {"access_token": sngine_token}),
            "vorgid": Inside(
                stack.url,
                {"Authorization": f"Bearer {vorgid_token}"},
                other.app.credentials | {"response_type": "code"},
            ),
        }


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_what_an_insider_is_answered_is_what_the_document_says(
    dialect: Any, insiders: Mapping[str, Inside], stack: GatepostStack
) -> None:
    inside = insiders[dialect.name]
    schema: Any = schemathesis.openapi.from_dict(document(dialect, stack.url, "0"))
    statuses: Counter[int] = Counter()
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation in sorted(operations, key=lambda each: any(word in each.path for word in _LAST)):
        ask(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), inside, statuses)
        if len(operation.body):
            ask(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), inside, statuses)
    assert statuses[200], statuses  # it is not just the door that was tried


def ask(requests: st.SearchStrategy[Any], inside: Inside, statuses: Counter[int]) -> None:
    """Send random requests, in which each value that an insider knows stands now and then."""

    @given(data=st.data())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=not FULL,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(data: st.DataObject) -> None:
        case = data.draw(requests)
        sent = case.body if isinstance(case.body, dict) else case.query
        if isinstance(sent, dict):
            sent |= {name: value for name, value in inside.known.items() if data.draw(st.integers(0, 3))}
        case.headers = {**(case.headers or {}), **inside.headers}
        answer = case.call_and_validate(base_url=inside.base, checks=CHECKS, allow_redirects=False, timeout=20)
        statuses[answer.status_code] += 1

    send()

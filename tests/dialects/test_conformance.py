"""Every dialect, every scenario, both status modes: refused for the right reason, in the dialect's own words."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from dialects.adapters import ADAPTERS
from dialects.local_gateway import LocalGateway, local_gateway
from dialects.scenarios import SCENARIOS, Adapter, Ask, Sample, Scenario
from unit.gateway.toy import toy

from gateway.dialect import StatusMode
from gateway.dialects import DIALECTS
from gateway.guards import ANYONE
from runtime.errors import Reason

# One more dialect that nothing of the gateway knows: it passes too, and shows what legacy mode does.
TOY = Adapter(
    dialect=toy(legacy_status=200),
    unknown_path="/toy/nothing",
    form=Sample("POST", "/toy/echo", {"number": "1", "name": "ann"}),
    secured=Sample("GET", "/toy/away", {}),
    token_headers=lambda token: {"Authorization": f"Bearer {token}"},
    is_error=lambda body: next(iter(body)) == "toy",
)
SERVED = (*DIALECTS, TOY.dialect)
each_dialect = pytest.mark.parametrize("adapter", [*ADAPTERS, TOY], ids=lambda adapter: adapter.dialect.name)
with_both_modes = pytest.mark.parametrize(
    "adapter",
    [each for each in (*ADAPTERS, TOY) if each.dialect.legacy_status is not None],
    ids=lambda adapter: adapter.dialect.name,
)


@pytest.fixture(scope="session")
async def strict() -> AsyncIterator[LocalGateway]:
    """Yield a gateway whose dialects are all in strict mode."""
    async with local_gateway(tuple(replace(each, default_mode=StatusMode.STRICT) for each in SERVED)) as gateway:
        yield gateway


@pytest.fixture(scope="session")
async def legacy() -> AsyncIterator[LocalGateway]:
    """Yield a gateway whose dialects are in legacy mode, as far as they have one."""
    modes = (each if each.legacy_status is None else replace(each, default_mode=StatusMode.LEGACY) for each in SERVED)
    async with local_gateway(tuple(modes)) as gateway:
        yield gateway


async def send(gateway: LocalGateway, ask: Ask) -> tuple[int, dict[str, str], bytes, str]:
    headers = {"Content-Type": ask.content_type, **(ask.headers or {})}
    async with gateway.client.request(
        ask.method, ask.path, data=ask.body or None, headers=headers, allow_redirects=False
    ) as answer:
        return answer.status, dict(answer.headers), await answer.read(), answer.content_type


def _still(body: bytes) -> bytes:
    """Stop the clock that OSSN's envelope has in it."""
    return re.sub(rb'"time_token":[0-9]+', b"", body)


@each_dialect
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
async def test_is_refused(adapter: Adapter, scenario: Scenario, strict: LocalGateway) -> None:
    status, headers, body, _ = await send(strict, scenario.ask(adapter))
    assert status == adapter.dialect.errors[adapter.reason(scenario)].status, body
    assert adapter.is_error(json.loads(body)), body
    assert set(scenario.headers) <= set(headers) or scenario.name in adapter.instead
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Error" not in headers


@with_both_modes
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
async def test_is_refused_with_the_same_body_in_legacy_mode(
    adapter: Adapter, scenario: Scenario, strict: LocalGateway, legacy: LocalGateway
) -> None:
    _, _, strict_body, _ = await send(strict, scenario.ask(adapter))
    status, headers, body, _ = await send(legacy, scenario.ask(adapter))
    assert (status, headers["X-Error"]) == (adapter.dialect.legacy_status, adapter.reason(scenario).value)
    assert _still(body) == _still(strict_body)


@each_dialect
async def test_every_reason_has_words_and_a_status_that_is_an_error(adapter: Adapter) -> None:
    assert set(adapter.dialect.errors) == set(Reason)
    assert all(400 <= rendering.status < 600 and rendering.text for rendering in adapter.dialect.errors.values())


@each_dialect
async def test_no_guarded_route_answers_who_shows_nothing(adapter: Adapter, strict: LocalGateway) -> None:
    for route in adapter.dialect.routes:
        if route.guard is ANYONE or "{" in route.path:
            continue
        for method in route.methods.split():
            status, _, body, _ = await send(strict, Ask(method, route.path, b"{}" if method != "GET" else b""))
            # A page sends a browser to sign in.
            assert status in {302, 303, 400, 401, 403, 422}, (route.path, body)


@each_dialect
async def test_head_is_refused_where_it_is_not_routed(adapter: Adapter, strict: LocalGateway) -> None:
    for route in adapter.dialect.routes:
        if "HEAD" not in route.methods.split() and "{" not in route.path:
            async with strict.client.head(route.path) as answer:
                assert answer.status == adapter.dialect.errors[Reason.METHOD_NOT_ALLOWED].status
                assert answer.headers["Allow"]


def test_every_dialect_takes_part() -> None:
    assert [adapter.dialect for adapter in ADAPTERS] == list(DIALECTS)

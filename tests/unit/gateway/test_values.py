"""Dialects, routes, route tables, limits and settings as values: what they refuse to be made of."""

from typing import Any

import pytest
from pydantic import ValidationError
from unit.gateway.toy import ERRORS, facts, toy

from gateway.dialect import Rendering, Route, StatusMode
from gateway.dialects import DIALECTS
from gateway.guards import ANYONE
from gateway.house import house
from gateway.limits import Allowance, Limit, Limits
from gateway.outbox_page import outbox
from gateway.readiness import Readiness
from gateway.routing import RouteTable
from gateway.settings import GatewaySettings
from runtime.errors import GatepostError, Reason

KEYS = "service-keys-for-tests-only-0123456789"


async def nothing() -> dict[str, bool]:
    return {}


def table(*prefixes: tuple[str, ...]) -> RouteTable:
    others = tuple(toy(name=f"toy{index}", prefixes=each, routes=()) for index, each in enumerate(prefixes))
    return RouteTable((*others, house(Readiness(nothing, 0))))


def test_a_dialect_must_say_something_about_every_reason() -> None:
    partial = {reason: rendering for reason, rendering in ERRORS.items() if reason is not Reason.CONFLICT}
    with pytest.raises(ValueError, match="conflict"):
        toy(errors=partial)


def test_a_dialect_must_not_render_an_error_as_success() -> None:
    with pytest.raises(ValueError, match="internal"):
        toy(errors=ERRORS | {Reason.INTERNAL: Rendering(200, "")})


def test_a_dialect_without_legacy_status_cannot_be_in_legacy_mode() -> None:
    with pytest.raises(ValueError, match="legacy"):
        toy(default_mode=StatusMode.LEGACY)


@pytest.mark.parametrize(("methods", "path"), [("get", "/x"), ("", "/x"), ("GET", "x"), ("GET", "/x/")])
def test_a_route_must_be_well_formed(methods: str, path: str) -> None:
    with pytest.raises(ValueError, match="route"):
        Route(methods, path, facts, ANYONE, Limit.ORDINARY)


@pytest.mark.parametrize(
    "dialects",
    [
        (toy(), toy(name="other", prefixes=("/other",))),
        (toy(), toy(name="other", routes=())),
        (toy(prefixes=("/elsewhere",)),),
        (toy(routes=(Route("GET", "/toy/a", facts, ANYONE, Limit.ORDINARY),) * 2),),
    ],
    ids=["the same path twice", "the same prefix twice", "a route outside", "a method twice"],
)
def test_clashes_stop_the_start(dialects: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        RouteTable((*dialects, house(Readiness(nothing, 0))))


def test_somebody_must_own_what_nobody_else_does() -> None:
    with pytest.raises(ValueError, match="/"):
        RouteTable((toy(),))


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/api/v1/x", "toy0"),
        ("/api/v1", "toy0"),
        ("/api/v1.0/x", "toy1"),
        ("/api/v17.3/x/y", "toy1"),
        ("/api/v2/a/b", "toy2"),
        ("/api/other", "toy3"),
        ("/api", "toy3"),
        ("/apis", "gatepost"),
        ("/", "gatepost"),
        ("", "gatepost"),
        ("*", "gatepost"),
        ("//api/v1/x", "gatepost"),
    ],
)
def test_an_unknown_path_belongs_to_the_longest_prefix(path: str, owner: str) -> None:
    routes = table(("/api/v1",), ("/api/v*.*",), ("/api/v2",), ("/api",))
    assert routes.find("GET", path).dialect.name == owner


def test_all_shipped_dialects_live_on_one_host() -> None:
    RouteTable((*DIALECTS, house(Readiness(nothing, 0)), outbox()))


def test_requests_at_work_are_counted_by_kind_and_given_back() -> None:
    allowances = dict.fromkeys(Limit, Allowance(10, 1))
    limits = Limits(allowances)
    for _ in range(2):
        with limits.at_work(Limit.PASSWORD), limits.at_work(Limit.ORDINARY):
            with pytest.raises(GatepostError) as caught, limits.at_work(Limit.PASSWORD):
                pass
            assert caught.value.reason is Reason.OVERLOADED


def test_every_kind_of_work_needs_an_allowance() -> None:
    with pytest.raises(KeyError):
        Limits({Limit.ORDINARY: Allowance(1, 1)})


async def test_readiness_is_asked_once_in_a_while() -> None:
    asked = []

    async def ask() -> dict[str, bool]:
        asked.append(1)
        return {"auth-service": True}

    readiness = Readiness(ask, 60)
    assert await readiness.checks() == await readiness.checks() == {"gateway": False, "auth-service": True}
    assert len(asked) == 1


def test_trusted_proxies_are_a_list_of_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_SERVICE_KEYS", KEYS)
    monkeypatch.setenv("GATEPOST_TRUSTED_PROXIES", "10.0.0.0/8, ::1, ::ffff:192.168.0.0/112")
    assert [str(network) for network in GatewaySettings().trusted_proxies] == [
        "10.0.0.0/8",
        "::1/128",
        "192.168.0.0/16",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"trusted_proxies": "everybody"},
        {"public_url": "ftp://x"},
        {"public_url": "https://x/?a=b"},
        {"request_timeout_seconds": 0},
        {"gateway_listen": "8080"},
    ],
)
def test_a_setting_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings.model_validate({"service_keys": KEYS} | wrong)


def test_every_setting_is_described() -> None:
    assert [name for name, field in GatewaySettings.model_fields.items() if not field.description] == []

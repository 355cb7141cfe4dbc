"""The frame around dialects, over real HTTP: routing, guards, errors, headers, modes."""

import asyncio

import pytest
from dialects.local_gateway import LocalGateway, local_gateway
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from unit.gateway.toy import ERRORS, legacy_toy, toy

from gateway.dialect import Rendering, StatusMode
from runtime.errors import Reason


async def test_a_handler_answers_with_json_and_the_safety_headers(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/facts") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Vary"] == "Origin"
        assert answer.headers["Server"] == "gatepost"


async def test_every_answer_names_its_request_and_no_two_are_called_alike(gateway: LocalGateway) -> None:
    names = set()
    for _ in range(3):
        async with gateway.client.get("/toy/facts") as answer:
            assert (await answer.json())["request_id"] == answer.headers["X-Request-Id"]
            names.add(answer.headers["X-Request-Id"])
    assert len(names) == 3


async def test_a_trailing_slash_is_overlooked_without_a_redirect(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/facts/", allow_redirects=False) as answer:
        assert answer.status == 200


async def test_an_unknown_path_below_a_prefix_is_answered_by_its_owner(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/nothing") as answer:
        assert (answer.status, await answer.json()) == (404, {"toy": "toy has no such thing"})


async def test_a_path_that_only_begins_like_a_prefix_is_not_its_owners(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toyshop") as answer:
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "GET", "HEAD", "OPTIONS", "PROPFIND"])
async def test_a_wrong_method_is_answered_by_the_dialect_with_the_right_ones(
    gateway: LocalGateway, method: str
) -> None:
    async with gateway.client.request(method, "/toy/echo") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        if method != "HEAD":
            assert await answer.json() == {"toy": "toy does not take that"}


async def test_segments_in_braces_reach_the_handler(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/of/ann/book") as answer:
        assert (await answer.json())["segments"] == {"who": "ann", "what": "book"}


async def test_a_mountable_dialect_answers_below_a_projects_prefix(gateway: LocalGateway) -> None:
    async with gateway.client.get("/t/shop/toy/facts") as answer:
        assert (await answer.json())["mount"] == "shop"


async def test_a_dialect_that_is_not_mountable_is_not_there_below_a_prefix() -> None:
    async with local_gateway((toy(mountable=False),)) as gateway, gateway.client.get("/t/shop/toy/facts") as answer:
        assert answer.status == 404


async def test_what_nobody_owns_is_a_problem_for_programs_and_a_page_for_browsers(gateway: LocalGateway) -> None:
    async with gateway.client.get("/nowhere") as answer:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (await answer.json(content_type=None))["status"] == 404
    async with gateway.client.get("/nowhere", headers={"Accept": "text/html,*/*;q=0.8"}) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")


async def test_a_guarded_route_refuses_who_shows_nothing_before_reading_a_body(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/mine") as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_bearer_scheme_is_read_in_any_case(gateway: LocalGateway, scheme: str) -> None:
    async with gateway.client.get("/toy/mine", headers={"Authorization": f"{scheme} abc.def"}) as answer:
        assert (await answer.json())["token"] == "abc.def"


@pytest.mark.parametrize("value", ["Bearer", "Bearer  ", "Basic YTpi", "abc"])
async def test_a_header_without_a_bearer_token_counts_as_none(gateway: LocalGateway, value: str) -> None:
    async with gateway.client.get("/toy/mine", headers={"Authorization": value}) as answer:
        assert await answer.json() == {"toy": "toy wants a token"}


@pytest.mark.parametrize("token", ["a b", "ä", "x" * 600, "<>"])
async def test_what_cannot_be_a_token_is_refused_without_asking_anybody(gateway: LocalGateway, token: str) -> None:
    async with gateway.client.get("/toy/mine", headers={"Authorization": f"Bearer {token}"}) as answer:
        assert await answer.json() == {"toy": "toy says token_invalid"}


async def test_headers_of_ours_from_outside_are_not_there(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/facts", headers={"Gatepost-Client-Address": "6.6.6.6"}) as answer:
        assert (await answer.json())["internal"] == ""


async def test_a_crash_is_an_opaque_error_of_the_dialect_and_a_line_in_the_log(gateway: LocalGateway) -> None:
    with capture_logs() as lines:
        async with gateway.client.get("/toy/crash") as answer:
            assert (answer.status, await answer.json()) == (500, {"toy": "toy broke"})
    assert [(line["event"], line["log_level"]) for line in lines] == [("request failed", "error"), ("request", "info")]


@pytest.mark.parametrize(("after", "header"), [("", "1"), ("0.2", "1"), ("3.1", "4"), ("60", "60")])
@pytest.mark.parametrize("reason", ["rate_limited", "unavailable", "overloaded", "deadline_exceeded"])
async def test_who_may_come_again_is_told_when_in_whole_seconds(
    gateway: LocalGateway, reason: str, after: str, header: str
) -> None:
    async with gateway.client.get("/toy/fail", params={"reason": reason, "after": after}) as answer:
        assert answer.headers["Retry-After"] == header


async def test_legacy_mode_changes_the_status_and_nothing_of_the_body() -> None:
    async with local_gateway((toy(),)) as strict, local_gateway((legacy_toy(),)) as legacy:
        path = "/toy/fail?reason=bad_credentials"
        async with strict.client.get(path) as one, legacy.client.get(path) as other:
            assert await one.read() == await other.read()
            assert other.status == 200
            assert one.status != 200
            assert other.headers["X-Error"] == "bad_credentials"
            assert "X-Error" not in one.headers


async def test_an_app_in_strict_mode_overrides_the_dialects_legacy_default() -> None:
    async with (
        local_gateway((legacy_toy(),)) as gateway,
        gateway.client.get("/toy/fail?reason=rate_limited&mode=strict") as answer,
    ):
        assert answer.status == 429


async def test_the_log_tells_the_strict_status_beside_the_one_on_the_wire() -> None:
    with capture_logs() as lines:
        async with (
            local_gateway((legacy_toy(),)) as gateway,
            gateway.client.get("/toy/fail?reason=rate_limited") as answer,
        ):
            assert answer.status == 200
    assert (lines[0]["status"], lines[0]["wire_status"], lines[0]["reason"]) == (429, 200, "rate_limited")


async def test_metrics_count_the_strict_status_by_route() -> None:
    labels = {"dialect": "toy", "route": "/toy/fail", "status": "422"}
    before = REGISTRY.get_sample_value("gatepost_http_seconds_count", labels) or 0
    changed = ERRORS | {Reason.CONFLICT: Rendering(422, "")}
    async with (
        local_gateway((toy(errors=changed, default_mode=StatusMode.LEGACY, legacy_status=200),)) as gateway,
        gateway.client.get("/toy/fail?reason=conflict") as answer,
    ):
        assert answer.status == 200
    assert REGISTRY.get_sample_value("gatepost_http_seconds_count", labels) == before + 1


async def test_the_log_line_has_the_path_and_never_the_query(gateway: LocalGateway) -> None:
    with capture_logs() as lines:
        async with gateway.client.get("/toy/facts?password=hunter2") as answer:
            assert answer.status == 200
    assert lines[0]["path"] == "/toy/facts"
    assert "hunter2" not in str(lines)


async def test_more_hashing_work_than_allowed_is_refused_while_the_rest_goes_on() -> None:
    async with local_gateway((toy(),), password_requests_limit_count=1) as gateway:
        first_request = asyncio.create_task(gateway.client.get("/toy/slow").__aenter__())
        await asyncio.sleep(0.1)
        async with gateway.client.get("/toy/slow") as second, gateway.client.get("/toy/facts") as cheap:
            assert (second.status, second.headers["Retry-After"]) == (503, "1")
            assert await second.json() == {"toy": "toy is busy"}
            assert cheap.status == 200
        answer = await first_request
        assert answer.status == 200
        answer.release()


async def test_a_page_comes_under_a_policy_without_script_and_frames(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/page") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy


async def test_a_redirect_after_a_form_is_303(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/leave", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/toy/page")


async def test_the_gateway_is_alive_without_its_services_but_not_ready(gateway: LocalGateway) -> None:
    async with gateway.client.get("/healthz") as alive, gateway.client.get("/readyz") as ready:
        assert (alive.status, ready.status) == (200, 503)
        assert (await ready.json())["checks"]["auth-service"] is False


async def test_behind_a_trusted_proxy_the_client_is_whom_it_names() -> None:
    headers = {"X-Forwarded-For": "6.6.6.6, 1.2.3.4", "X-Request-Id": "from-the-proxy", "X-Forwarded-Host": "evil"}
    async with (
        local_gateway((toy(),), trusted_proxies="127.0.0.0/8") as gateway,
        gateway.client.get("/toy/facts", headers=headers) as answer,
    ):
        facts = await answer.json()
    assert (facts["client_address"], facts["request_id"]) == ("1.2.3.4", "from-the-proxy")
    assert facts["host"] == f"127.0.0.1:{gateway.port}"


async def test_every_request_has_a_deadline(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/facts") as answer:
        assert 0 < (await answer.json())["remaining"] <= 10

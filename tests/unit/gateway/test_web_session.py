"""The session cookie: how it is set, read and taken away."""

import pytest
from unit.gateway.a_call import a_call

from gateway.web import session
from runtime.errors import GatepostError, Reason

TOKEN = "a1" * 32


def test_the_cookie_is_bound_to_the_host_and_out_of_reach() -> None:
    assert session.cookie(TOKEN) == (
        f"__Host-gatepost={TOKEN}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=34560000"
    )


def test_taking_it_away_names_the_same_cookie() -> None:
    assert session.cleared() == "__Host-gatepost=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


def test_the_guard_finds_the_token() -> None:
    call = a_call(Cookie=f"other=1; __Host-gatepost={TOKEN}")
    session.SESSION.check(call)
    assert call.token == TOKEN


@pytest.mark.parametrize(
    ("cookie", "reason"),
    [
        ("", Reason.TOKEN_MISSING),
        (f"gatepost={TOKEN}", Reason.TOKEN_MISSING),
        ("__Host-gatepost=short", Reason.TOKEN_INVALID),
        (f"__Host-gatepost={TOKEN.upper()}", Reason.TOKEN_INVALID),
    ],
)
def test_the_guard_refuses_who_has_none(cookie: str, reason: Reason) -> None:
    with pytest.raises(GatepostError) as caught:
        session.SESSION.check(a_call(Cookie=cookie))
    assert caught.value.reason is reason


async def test_a_cookie_that_cannot_be_ours_is_nobody() -> None:
    assert await session.visitor(a_call(Cookie="__Host-gatepost=short")) is None

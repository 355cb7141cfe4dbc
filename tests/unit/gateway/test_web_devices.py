"""The cookie that a browser is known by: one token for each account, the newest first, never more than five."""

import pytest
from unit.gateway.a_call import a_call

from gateway.web import devices

NAME = "__Host-gatepost-devices"


def token(whose: int, device: int = 0) -> str:
    return f"{whose:020x}{device:064x}"


def held(*tokens: str) -> str:
    return f"{NAME}={'.'.join(tokens)}"


def test_a_token_is_kept_out_of_reach_and_for_long() -> None:
    (cookie,) = devices.kept(a_call(), token(1))
    assert cookie == f"{held(token(1))}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=34560000"


def test_nothing_is_kept_of_nothing() -> None:
    assert devices.kept(a_call(Cookie=held(token(1))), "") == ()


def test_a_new_one_takes_the_place_of_the_same_accounts_and_leaves_the_others() -> None:
    call = a_call(Cookie=held(token(2), token(1), token(3)))
    (cookie,) = devices.kept(call, token(1, 9))
    assert cookie.startswith(held(token(1, 9), token(2), token(3)) + ";")


def test_of_too_many_the_oldest_goes() -> None:
    call = a_call(Cookie=held(*map(token, range(1, 6))))
    (cookie,) = devices.kept(call, token(9))
    assert cookie.startswith(held(*map(token, [9, 1, 2, 3, 4])) + ";")


@pytest.mark.parametrize("value", ["", "x", ".", token(1).upper().replace("0", "A"), token(1)[:-1], "٣" * 84])
def test_what_is_no_token_is_not_sent_on(value: str) -> None:
    assert devices.known(a_call(Cookie=f"{NAME}={value}.{token(2)}")) == [token(2)]


def test_what_a_browser_sends_too_much_is_not_looked_at() -> None:
    assert len(devices.known(a_call(Cookie=held(*map(token, range(1, 999)))))) == 5

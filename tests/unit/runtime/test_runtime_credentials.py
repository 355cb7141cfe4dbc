"""Service credentials: audience, expiry, rotation of keys, foreign algorithms."""

import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason

OLD, NEW = "old-" * 10, "new-" * 10
NOBODY = "nobodys-" * 5


def accepted(keys: ServiceKeys, token: str, audience: str = "users") -> bool:
    try:
        keys.verify(token, audience)
    except GatepostError as error:
        assert error.reason is Reason.CALLER_REFUSED  # noqa: PT017 a token may also be good
        return False
    return True


def forged(key: str = OLD, algorithm: str = "HS256", **changes: object) -> str:
    claims = {"iss": "gateway", "aud": "users", "exp": int(time.time()) + 60} | changes
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, key, algorithm=algorithm)


def test_a_credential_names_its_caller() -> None:
    keys = ServiceKeys([OLD])
    assert keys.verify(keys.mint("gateway", "users"), "users") == "gateway"


def test_a_credential_for_another_service_is_refused_even_after_it_was_accepted_there() -> None:
    keys = ServiceKeys([OLD])
    token = keys.mint("gateway", "users")
    assert accepted(keys, token, "users")
    assert not accepted(keys, token, "notify")


def test_a_credential_is_minted_once_for_a_while() -> None:
    keys = ServiceKeys([OLD])
    assert keys.mint("gateway", "users") == keys.mint("gateway", "users")
    assert keys.mint("gateway", "users") != keys.mint("gateway", "notify")


def test_an_expired_credential_is_refused_also_when_it_was_accepted_before() -> None:
    keys = ServiceKeys([OLD])
    assert not accepted(keys, forged(exp=int(time.time()) - 1))
    short = forged(exp=int(time.time()) + 1)
    assert accepted(keys, short)
    time.sleep(1.1)
    assert not accepted(keys, short)


def test_keys_rotate_without_a_pause() -> None:
    before, during, after = ServiceKeys([OLD]), ServiceKeys([NEW, OLD]), ServiceKeys([NEW])
    assert accepted(during, before.mint("gateway", "users"))
    assert accepted(after, during.mint("gateway", "users"))
    assert not accepted(after, before.mint("gateway", "users"))


@pytest.mark.parametrize("missing", ["iss", "aud", "exp"])
def test_a_credential_that_lacks_something_is_refused(missing: str) -> None:
    changes: dict[str, Any] = {missing: None}
    assert not accepted(ServiceKeys([OLD]), forged(**changes))


def test_another_algorithm_or_key_is_refused() -> None:
    keys = ServiceKeys([OLD])
    assert accepted(keys, forged())
    assert not accepted(keys, forged(NOBODY))
    assert not accepted(keys, forged(OLD * 2, "HS512"))
    assert not accepted(keys, forged("", "none"))


@given(st.text(max_size=200))
def test_no_text_is_accepted_or_breaks_the_check(token: str) -> None:
    assert not accepted(ServiceKeys([OLD]), token)


def test_many_different_credentials_do_not_fill_the_memory() -> None:
    keys = ServiceKeys([OLD])
    for number in range(600):
        assert accepted(keys, forged(n=number))
    assert len(keys._verified) <= 256


@pytest.mark.parametrize("keys", [[], ["short"], [OLD, "short"]])
def test_short_or_no_keys_are_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="32 characters"):
        ServiceKeys(keys)

"""Settings of auth-service that hang together."""

from typing import Any

import pytest
from pydantic import ValidationError

from auth_service.settings import AuthSettings

NEEDED: dict[str, Any] = {
    "service_keys": "a-service-key-of-the-tests-alone-42-characters",
    "auth_postgres_dsn": "postgresql://auth@127.0.0.1/auth",
    "valkey_url": "redis://127.0.0.1",
    "master_key": "a-master-key-of-the-tests-alone-of-enough-length",
}


def test_facebook_is_off_unless_set() -> None:
    assert AuthSettings(**NEEDED).facebook_app_secret is None


@pytest.mark.parametrize("said", [{"facebook_app_id": "42"}, {"facebook_app_secret": "of facebook"}])
def test_half_of_facebook_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="go together"):
        AuthSettings(**NEEDED | said)


@pytest.mark.parametrize("url", ["example.org", "javascript:x", "https://example.org/?x=1", "https://"])
@pytest.mark.parametrize("name", ["public_url", "facebook_base_url"])
def test_a_base_of_links_is_an_address_without_query(name: str, url: str) -> None:
    with pytest.raises(ValidationError):
        AuthSettings(**NEEDED | {name: url})


def test_several_master_keys_are_told_apart() -> None:
    first, second = "a" * 32, "b" * 40
    assert AuthSettings(**NEEDED | {"master_key": f"{first}, {second}"}).read_master_keys() == [first, second]


@pytest.mark.parametrize("key", ["", "a" * 31, f"{'a' * 32},", f"{'a' * 32},short"])
def test_a_master_key_that_is_too_short_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="32 characters"):
        AuthSettings(**NEEDED | {"master_key": key})

"""Every kind of secret at every place that takes one: taken at its own, refused at all others."""

from dataclasses import fields

import pytest
from security.secret_kinds import KINDS
from security.secret_places import PLACES, Presenter
from security.world import World

from gateway.dialects import DIALECTS
from gateway.pages import PAGES

PARAMETERS = {
    *(f"ihopr {name}" for name in ("client_secret", "password", "current_password", "code", "code_verifier")),
    *(f"ihopr {name}" for name in ("otp_code", "otp_token", "two_step_auth_code", "two_step_auth_token")),
    *(f"ihopr {name}" for name in ("reset_password_code", "reset_password_token", "refresh_token")),
    *(f"sngine {name}" for name in ("app_secret", "auth_key", "code_verifier", "access_token", "csrf")),
    *(f"vorgid {name}" for name in ("client_secret", "code", "code_verifier", "refresh_token", "sign", "csrf")),
    *(f"shoop {name}" for name in ("password", "fb_token", "token")),
    *(f"ossn {name}" for name in ("api_key_token", "password", "current_password", "new_password")),
    *(f"pages {name}" for name in ("csrf", "password", "current_password", "handle", "code", "token")),
}


@pytest.mark.parametrize("name", KINDS)
async def test_a_secret_is_taken_at_its_own_place_and_nowhere_else(world: World, name: str) -> None:
    kind = KINDS[name]
    held = await kind.mint(world)
    by = Presenter(world, held)
    elsewhere = [place for place in PLACES if place not in {*kind.own, *kind.spent_at}]
    assert [place for place in elsewhere if await PLACES[place](by, held.value)] == []
    # It has been good all the time.
    for place in kind.own:
        assert await PLACES[place](by, held.value), place
        held = await kind.mint(world)
        by = Presenter(world, held)
    for place in kind.spent_at:
        assert not await PLACES[place](by, held.value), place
        held = await kind.mint(world)
        by = Presenter(world, held)


def test_every_place_takes_one_kind_at_least() -> None:
    of_none = {"shoop login, token of Facebook", "page sign-in/code, reset"}
    assert {place for kind in KINDS.values() for place in kind.own} == set(PLACES) - of_none


def test_every_parameter_that_is_a_secret_is_listed() -> None:
    """A new one fails here until it is, and stands among the places."""
    found = {
        f"{dialect.name} {each.name}"
        for dialect in (*DIALECTS, PAGES)
        for route in dialect.routes
        for each in (fields(route.form) if route.form else ())
        if not each.repr
    }
    assert found == PARAMETERS

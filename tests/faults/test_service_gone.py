"""A service gone in every way: what needs it fails soon and then at once, the rest goes on, and it heals itself."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from faults.guests import Guests, Seen
from faults.proxied_house import SERVICES, SLOW, WAYS, House, dose

EVERYTHING = (
    *("ihopr login", "ihopr signup", "ihopr user", "ihopr refresh"),
    *("shoop login", "shoop register", "shoop user"),
)
NEED_IT = {
    "auth": EVERYTHING,
    "users": ("ihopr signup", "ihopr user", "ihopr refresh", "shoop register", "shoop user"),
    "notify": (),
}
FIRST_SECONDS = 3.0  # two until it is taken for hung; the rest is for a busy machine
PATIENT_SECONDS = 6.0  # a refresh that was done waits for the profile that belongs into its answer
THEN_SECONDS = 0.7
HEALED_SECONDS = 5.0
FORGIVEN_SECONDS = 11.0
NOTICED_SECONDS = 0.3  # what was spent before that is forgiven for ten seconds only
ANSWERED_SECONDS = 11.0  # what is slow is answered within the deadline of a request


@pytest.mark.parametrize(
    ("name", "way"),
    dose(
        (("auth", "stopped"), ("auth", "black hole"), ("users", "reset"), ("notify", "lost answers")),
        tuple((name, way) for name in SERVICES for way in WAYS),
    ),
)
async def test_what_needs_a_service_that_is_gone_fails_soon_and_then_at_once(
    house: House, guests: Guests, name: str, way: str, record_property: Callable[[str, Any], None]
) -> None:
    need_it = NEED_IT[name]
    go_on = [each for each in EVERYTHING if each not in need_it]

    def slowest(seen: list[Seen]) -> float:
        return max((each.seconds for each in seen if each.name in need_it and each not in patient), default=0.0)

    async with house.gone(name, way):
        first, then = await guests.ask_all(), await guests.ask_all()
        patient = [each for each in first if (name, each.name) == ("users", "ihopr refresh")]
        last = then
        if way not in SLOW and slowest(last) >= THEN_SECONDS:
            last = await guests.ask_all()  # the machine may have been elsewhere for a moment, but not twice
            then += last
        assert [each for each in then if each.name in go_on and not each.well] == []
        if way in SLOW:
            assert [each for each in first + then if not (each.well or each.away)] == []
            assert max(slowest(first), slowest(then)) < ANSWERED_SECONDS
        else:
            assert [each for each in first + then if each.name in need_it and not each.away] == []
            assert slowest(first) < FIRST_SECONDS
            assert slowest(last) < THEN_SECONDS
            assert all(each.seconds < PATIENT_SECONDS for each in patient)
    healed = await guests.until_well(HEALED_SECONDS)
    record_property("first answer", slowest(first))
    record_property("answers after it", slowest(last))
    record_property("healed after", healed)


@pytest.mark.parametrize("way", dose(("refused",), ("refused", "killed")))
async def test_a_session_outlives_an_absence_of_user_service_longer_than_a_refresh_is_forgiven(
    house: House, guests: Guests, way: str
) -> None:
    async with house.gone("users", way):
        await asyncio.sleep(NOTICED_SECONDS)
        async with asyncio.timeout(FORGIVEN_SECONDS + 10):
            seen = [await guests.ask("ihopr refresh")]
            while sum(each.seconds for each in seen) < FORGIVEN_SECONDS:
                seen.append(await guests.ask("ihopr refresh"))
        assert [each for each in seen if not each.away] == []
    await guests.until_well(HEALED_SECONDS, ["ihopr refresh"])

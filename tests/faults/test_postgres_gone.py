"""PostgreSQL gone in every way: refused within two seconds, no hang, and no pool exhausted when it is back (P4)."""

from collections.abc import Callable
from typing import Any

import pytest
from faults.guests import Guests
from faults.proxied_house import SLOW, House, dose

REFUSED_SECONDS = 2.0  # as promised, though the machine that tests has other things to do
HEALED_SECONDS = 5.0
ANSWERED_SECONDS = 11.0  # what is slow is answered within the deadline of a request
TIMES = 6  # together more requests than the pools have connections


@pytest.mark.parametrize("way", dose(("stopped", "black hole")))
async def test_everything_is_refused_while_postgresql_is_gone_and_answered_when_it_is_back(
    house: House, guests: Guests, way: str, record_property: Callable[[str, Any], None]
) -> None:
    crowd = [name for name in guests.requests if name != "ihopr refresh"] * TIMES
    async with house.gone("postgres", way):
        seen = await guests.ask_all([*crowd, "ihopr refresh"])
        seen += await guests.ask_all()
        slowest = max(each.seconds for each in seen)
        if way in SLOW:
            assert [each for each in seen if not (each.well or each.away)] == []
            assert slowest < ANSWERED_SECONDS
        else:
            assert [each for each in seen if not each.away] == []
            assert slowest < REFUSED_SECONDS, [each for each in seen if each.seconds > REFUSED_SECONDS]
    healed = await guests.until_well(HEALED_SECONDS)
    assert [each for each in await guests.ask_all(crowd) if not each.well] == []
    record_property("slowest answer", slowest)
    record_property("healed after", healed)

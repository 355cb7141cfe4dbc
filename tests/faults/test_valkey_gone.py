"""Valkey gone in every way: what needs it is refused clearly, the rest goes on, and it heals itself (P3)."""

from collections.abc import Callable
from typing import Any

import pytest
from faults.guests import Guests
from faults.proxied_house import SLOW, House, dose

NEED_IT = ("ihopr login", "ihopr signup", "shoop login", "shoop register")
GO_ON = ("ihopr user", "ihopr refresh", "shoop user")
REFUSED_SECONDS = 2.0
HEALED_SECONDS = 5.0
ANSWERED_SECONDS = 11.0  # what is slow is answered within the deadline of a request


@pytest.mark.parametrize("way", dose(("stopped", "reset")))
async def test_what_needs_valkey_is_refused_while_it_is_gone_and_the_rest_goes_on(
    house: House, guests: Guests, way: str, record_property: Callable[[str, Any], None]
) -> None:
    async with house.gone("valkey", way):
        rounds = [await guests.ask_all(), await guests.ask_all(NEED_IT * 5 + GO_ON[::2] * 5)]
        seen = rounds[0] + rounds[1]
        assert [each for each in seen if each.name in GO_ON and not each.well] == []
        refused = [each for each in seen if each.name in NEED_IT]
        slowest = max(each.seconds for each in refused)
        if way in SLOW:
            assert [each for each in refused if not (each.well or each.away)] == []
            assert slowest < ANSWERED_SECONDS
        else:
            assert [each for each in refused if not each.away] == []
            assert slowest < REFUSED_SECONDS
    healed = await guests.until_well(HEALED_SECONDS)
    record_property("slowest answer", slowest)
    record_property("healed after", healed)

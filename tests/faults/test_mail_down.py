"""The mail server gone in every way: answers are what they were, every mail arrives, and its code is good then (P5)."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
from dialects.ihopr_client import Person, new_email
from faults.guests import Guests
from faults.proxied_house import WAYS, House, dose

PEOPLE = 6
ARRIVED_SECONDS = 20
CODE = re.compile(r"^\s*(\d{6})\s*$", re.MULTILINE)


@pytest.mark.parametrize("way", dose(("killed", "lost answers"), tuple(way for way in WAYS if way != "stopped")))
async def test_nobody_notices_that_mail_is_down_and_every_mail_arrives_later(
    house: House, guests: Guests, way: str, record_property: Callable[[str, Any], None]
) -> None:
    before = [await sign_up(guests) for _ in range(PEOPLE)]
    await arrived(house, [person for person, _, _ in before])
    async with house.gone("mail", way):
        during = [await sign_up(guests) for _ in range(PEOPLE)]
        await asyncio.sleep(1)  # attempts are made, and fail
    usual, now = (median(seconds for _, _, seconds in signed_up) for signed_up in (before, during))
    assert {tuple(answer) for _, answer, _ in during} == {tuple(answer) for _, answer, _ in before}
    assert now < 2 * usual + 0.1
    mails = await arrived(house, [person for person, _, _ in during])
    for person, answer, _ in during:
        assert len({mail["Message-ID"] for mail in mails[person.email]}) == 1, "a duplicate is recognisable"
        (code,) = {found for mail in mails[person.email] for found in CODE.findall(text_of(mail))}
        body = {"otp_code": code, "otp_token": answer["otp_token"]}
        assert (await guests.ihopr.success("POST", "otp-code", body))["code"]
    record_property("answered in, mail up", usual)
    record_property("answered in, mail down", now)
    record_property("duplicates", sum(len(each) - 1 for each in mails.values()))


async def sign_up(guests: Guests) -> tuple[Person, dict[str, Any], float]:
    """Sign somebody up whose address is to be proven; return him, the answer, and the seconds it took."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    person, answer = await guests.ihopr.signup(guests.otp_app, new_email())
    return person, answer, loop.time() - started


async def arrived(house: House, people: list[Person]) -> dict[str, list[Any]]:
    """Wait until everybody has a mail; return the mails by address."""
    async with asyncio.timeout(ARRIVED_SECONDS):
        while True:
            mails = defaultdict(list)
            for mail in house.mail.mails:
                mails[str(mail["To"])].append(mail)
            if all(mails[person.email] for person in people):
                return {person.email: mails[person.email] for person in people}
            await asyncio.sleep(0.05)


def text_of(mail: Any) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())

"""Tokens of known devices: good for one account as it is now, and for nothing else."""

from dataclasses import replace
from uuid import uuid4

import pytest
from unit.auth.an_account import AN_ACCOUNT

from auth_service.keys import KeyRing
from auth_service.known_devices import MOST_SHOWN, KnownDevices
from auth_service.model import Account


@pytest.fixture
def devices() -> KnownDevices:
    ring = KeyRing()
    ring.put(1, b"k" * 32)
    ring.active_id = 1
    return KnownDevices(ring)


@pytest.fixture
def account() -> Account:
    return replace(AN_ACCOUNT, id=uuid4())


def issue(devices: KnownDevices, account: Account) -> str:
    return devices.issue(account.id, account.security_version)


def test_each_token_is_a_device_of_its_own_and_says_whose_in_its_first_twenty_digits(
    devices: KnownDevices, account: Account
) -> None:
    tokens = [issue(devices, account) for _ in range(2)]
    assert [len(token) for token in tokens] == [84, 84]
    assert tokens[0][:20] == tokens[1][:20] != issue(devices, replace(account, id=uuid4()))[:20]
    assert len({devices.recognize([token], account) for token in tokens} - {""}) == 2


def test_it_is_found_among_those_of_others_but_not_behind_too_many(devices: KnownDevices, account: Account) -> None:
    own, others = issue(devices, account), [issue(devices, replace(account, id=uuid4())) for _ in range(MOST_SHOWN)]
    assert devices.recognize([*others[1:], own], account)
    assert not devices.recognize([*others, own], account)


def test_it_is_worth_nothing_for_another_account_nobody_or_another_password(
    devices: KnownDevices, account: Account
) -> None:
    token = issue(devices, account)
    for other in (replace(account, id=uuid4()), replace(account, security_version=4), None):
        assert not devices.recognize([token], other)


def test_a_changed_digit_makes_it_worthless(devices: KnownDevices, account: Account) -> None:
    token = issue(devices, account)
    for place in range(len(token)):
        changed = token[:place] + ("0" if token[place] != "0" else "1") + token[place + 1 :]
        assert not devices.recognize([changed], account), place


@pytest.mark.parametrize("token", ["", "x", "0" * 84, "f" * 84, "0001", "0001" + "0" * 80, "0" * 83, "٣" * 84])
def test_what_is_no_token_is_passed_over(devices: KnownDevices, account: Account, token: str) -> None:
    assert not devices.recognize([token], account)
    assert devices.recognize([token, issue(devices, account)], account)

"""Passwords: whether one is right, and what a new one must not be."""

import time
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from auth_service.argon2id import Argon2id
from auth_service.hashing import HashPool
from auth_service.passwords import Passwords, check_new
from runtime.errors import GatepostError, Reason

GOOD = "correct horse battery staple"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(Argon2id(memory_kib=8, iterations=1, parallelism=1), HashPool(workers=1, queue_size=4))
    yield made
    made.close()


def weakness(
    password: str, min_length: int = 8, own_data: tuple[str, ...] = (), context: tuple[str, ...] = ()
) -> str | None:
    try:
        check_new(password, min_length, own_data, context)
    except GatepostError as error:
        assert error.reason is Reason.WEAK_PASSWORD  # noqa: PT017 a password may also be fine
        return error.message
    return None


async def test_a_password_fits_its_hash_and_no_other_does(passwords: Passwords) -> None:
    encoded = await passwords.hash(GOOD)
    assert await passwords.verify(GOOD, encoded)
    assert not await passwords.verify(GOOD + " ", encoded)
    assert await passwords.hash(GOOD) != encoded


async def test_spelling_of_one_text_in_two_normal_forms_is_one_password(passwords: Passwords) -> None:
    encoded = await passwords.hash("Ångström ﬁne 2½")
    assert await passwords.verify("A\u030angstro\u0308m fine 21\u20442", encoded)


async def test_a_cheaper_hash_is_raised_at_sign_in(passwords: Passwords) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=16).hash(GOOD)
    assert await passwords.verify(GOOD, old)
    assert not await passwords.verify("wrong", old)
    new = await passwords.renew(GOOD, old)
    assert new is not None
    assert await passwords.verify(GOOD, new)
    assert await passwords.renew(GOOD, new) is None


@pytest.mark.parametrize("encoded", ["", "x", "$argon2id$", "$2b$12$" + "x" * 53, "5f4dcc3b5aa765d61d8327deb882cf99"])
async def test_what_is_no_hash_of_ours_fits_nothing(passwords: Passwords, encoded: str) -> None:
    assert not await passwords.verify(GOOD, encoded)


async def test_a_megabyte_costs_no_more_than_a_word(passwords: Passwords) -> None:
    huge = "ﷺ" * 1_000_000
    encoded = await passwords.hash(GOOD)
    started = time.perf_counter()
    assert not await passwords.verify(huge, encoded)
    assert not await passwords.burn(huge)
    assert weakness(huge) == "The password may not be greater than 256 characters."
    assert time.perf_counter() - started < 0.6  # to normalize it takes more than a second


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "Password1",
        "12345678",
        "qwertyuiop",
        "aaaaaaaaaaaaaaa",
        "abcdefgh",
        "iloveyou",
        "1qaz2wsx",
    ],
)
def test_a_common_password_is_refused(password: str) -> None:
    assert weakness(password) == "The password is too common."


@pytest.mark.parametrize(
    "password",
    [GOOD, "Tr0ub4dor&3x9", "пароль для проверки", "x9#kQ2!m", " leading and trailing ", "\u3000wide　space\u3000xx"],
)
def test_an_uncommon_password_is_taken_as_it_is(password: str) -> None:
    assert weakness(password) is None


def test_the_shortest_is_counted_in_characters_after_normalising() -> None:
    assert weakness("kQ9#x2!") == "The password must be at least 8 characters."
    assert weakness("x9#kQ2!m", 15) == "The password must be at least 15 characters."
    assert weakness("é" * 3 + "x9#k") is not None
    assert weakness("e\u0301" * 4 + "x9#") is not None  # eleven code points, seven characters


def test_256_characters_are_taken_and_257_are_not() -> None:
    words = "correct horse battery staple and so on "
    assert weakness((words * 7)[:256]) is None
    assert weakness((words * 7)[:257]) == "The password may not be greater than 256 characters."


@pytest.mark.parametrize(
    ("password", "own"),
    [
        ("my-JACQUELINE-77!", "jacqueline@example.org"),
        ("Jacqueline@Example.org", "jacqueline@example.org"),
        ("kd93-Hildegard-x", "HILDEGARD"),
    ],
)
def test_the_users_own_data_is_refused(password: str, own: str) -> None:
    assert weakness(password, own_data=(own,)) == "The password may not contain your name or address."


def test_short_or_empty_own_data_does_not_count() -> None:
    assert weakness("kd93-Ann-xw!k2", own_data=("", "Ann", "ann@example.org")) is None


@pytest.mark.parametrize(
    "password",
    [
        "gatepost2024",
        "G4tepost!1",
        "zanzibar-fair-7",
        "ZanzibarFair99",
        "riafrabiznaz",
        "kiosk2024",
        "fair-zz81-kiosk1",
    ],
)
def test_the_words_of_project_and_product_are_as_common_as_any(password: str) -> None:
    context = ("fair-zz81-kiosk", "Zanzibar Fair")
    assert weakness(password, context=context) == "The password is too common."


@pytest.mark.parametrize("password", ["zanzibar harbour violin", "a gatepost at dawn in june"])
def test_what_is_more_than_such_a_word_is_taken(password: str) -> None:
    assert weakness(password, context=("fair-zz81-kiosk", "Zanzibar Fair")) is None


@given(st.text(max_size=300), st.text(max_size=40))
def test_no_text_breaks_the_check(password: str, name: str) -> None:
    weakness(password, own_data=("someone@example.org",), context=(name,))

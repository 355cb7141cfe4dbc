"""Argon2id: two libraries, one kind of hash."""

import pytest
from argon2 import PasswordHasher, Type

from auth_service.argon2id import Argon2id

SECRETS = ["correct horse", "", "пароль 密码 🔑", "a\0b", "x" * 256, "\U0001f511" * 256]
by_either = pytest.mark.parametrize("sodium", [True, False], ids=["PyNaCl", "argon2-cffi"])


def made(*, sodium: bool, memory_kib: int = 8, iterations: int = 1, parallelism: int = 1) -> Argon2id:
    """Make one that has chosen a library, as if it had won the race."""
    argon2id = Argon2id(memory_kib=memory_kib, iterations=iterations, parallelism=parallelism)
    argon2id.choose(sodium=sodium)
    return argon2id


@pytest.mark.parametrize("secret", SECRETS)
@by_either
def test_a_hash_of_one_library_is_read_by_both(secret: str, *, sodium: bool) -> None:
    one, other = made(sodium=sodium), made(sodium=not sodium)
    encoded = one.hash(secret.encode())
    assert encoded.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    for each in (one, other):
        assert each.verify(encoded, secret.encode())
        assert not each.verify(encoded, secret.encode() + b"\0")
        assert not each.verify(encoded, secret.encode()[:-1] + b"!")
        assert each.is_of_this_cost(encoded)


@by_either
def test_hashes_of_other_makers_are_read(*, sodium: bool) -> None:
    argon2id = made(sodium=sodium)
    for options in (
        {"parallelism": 4, "memory_cost": 64},
        {"type": Type.I},
        {"type": Type.D},
        {"hash_len": 4},
        {"hash_len": 64, "salt_len": 48},
        {"hash_len": 16, "salt_len": 8},
    ):
        encoded = PasswordHasher(**{"time_cost": 1, "memory_cost": 8, "parallelism": 1} | options).hash(b"word")
        assert argon2id.verify(encoded, b"word")
        assert not argon2id.verify(encoded, b"sword")
        assert not argon2id.is_of_this_cost(encoded)


@by_either
@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "x",
        "$argon2id$",
        "$argon2id$v=19$m=1,t=1,p=1$c29tZXNhbHQxMjM0NTY$" + "A" * 43,
        "$argon2id$v=19$m=8,t=0,p=1$c29tZXNhbHQxMjM0NTY$" + "A" * 43,
        "$argon2id$v=19$m=99999999999,t=1,p=1$c29tZXNhbHQxMjM0NTY$" + "A" * 43,
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQxMjM0NTY$" + "A" * 44,
        "$2b$12$" + "x" * 53,
    ],
)
def test_what_is_no_hash_fits_nothing(encoded: str, *, sodium: bool) -> None:
    assert not made(sodium=sodium).verify(encoded, b"word")


def test_several_lanes_are_hashed_whichever_is_quicker() -> None:
    argon2id = Argon2id(memory_kib=64, iterations=1, parallelism=4)
    encoded = argon2id.hash(b"word")
    assert encoded.startswith("$argon2id$v=19$m=64,t=1,p=4$")
    assert argon2id.verify(encoded, b"word")
    assert argon2id.is_of_this_cost(encoded)

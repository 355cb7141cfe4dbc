"""The token codec: kinds, forgeries, length, keys; and the seal that keys lie under."""

import secrets
import struct
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service.keys import KeyRing, Seal
from auth_service.tokens import Kind, TokenCodec
from runtime.errors import GatepostError, Reason

SALT = secrets.token_bytes(16)
SESSION = UUID("7f0e4c1c-9c9c-4d25-9d6a-0a6f7d6c2b11")
EXPIRY = datetime(2030, 1, 1, tzinfo=UTC)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def ring(*key_ids: int) -> KeyRing:
    made = KeyRing()
    for key_id in key_ids:
        made.put(key_id, f"secret {key_id}".encode().ljust(32))
    made.active_id = max(key_ids)
    return made


CODEC = TokenCodec(ring(1))


def accepted(codec: TokenCodec, text: str, kind: Kind, salt: bytes = SALT) -> bool:
    try:
        codec.check(codec.parse(text, kind), salt)
    except GatepostError as error:
        assert error.reason is Reason.TOKEN_INVALID  # noqa: PT017 a token may also be good
        return False
    return True


@given(
    kind=st.sampled_from(Kind),
    session_id=st.uuids(),
    generation=st.integers(1, 2**32 - 1),
    expiry=st.none() | st.datetimes(datetime(1971, 1, 1), datetime(2105, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_a_token_says_what_was_put_in(kind: Kind, session_id: UUID, generation: int, expiry: datetime | None) -> None:
    text = CODEC.mint(kind, session_id, SALT, generation, expiry)
    token = CODEC.parse(text, kind)
    CODEC.check(token, SALT)
    assert (token.kind, token.session_id, token.generation) == (kind, session_id, generation)
    assert (token.expires_at is None) == (expiry is None)
    assert token.expires_at is None or expiry is None or abs(token.expires_at - expiry) <= timedelta(milliseconds=1)
    assert len(text) == 68


@pytest.mark.parametrize("kind", Kind)
def test_a_token_of_one_kind_never_passes_for_another(kind: Kind) -> None:
    text = CODEC.mint(kind, SESSION, SALT, 1, EXPIRY)
    assert [other for other in Kind if accepted(CODEC, text, other)] == [kind]


@given(position=st.integers(0, 62), character=st.sampled_from(ALPHABET))
def test_any_changed_character_is_refused(position: int, character: str) -> None:
    text = CODEC.mint(Kind.ACCESS, SESSION, SALT, 1, EXPIRY)
    forged = text[:position] + character + text[position + 1 :]
    assert accepted(CODEC, forged, Kind.ACCESS) == (forged == text)


@given(st.text(max_size=80) | st.text(ALPHABET + "=+/\n ", min_size=62, max_size=65))
def test_no_other_text_is_accepted_or_breaks_the_codec(text: str) -> None:
    assert not accepted(CODEC, text, Kind.ACCESS)


@pytest.mark.parametrize("extra", ["=", "A", "\n", " "])
def test_a_token_with_anything_more_is_refused(extra: str) -> None:
    text = CODEC.mint(Kind.ACCESS, SESSION, SALT, 1, EXPIRY)
    assert not accepted(CODEC, text + extra, Kind.ACCESS)
    assert not accepted(CODEC, extra + text, Kind.ACCESS)


def test_another_salt_is_refused() -> None:
    text = CODEC.mint(Kind.ACCESS, SESSION, SALT, 1, EXPIRY)
    assert not accepted(CODEC, text, Kind.ACCESS, secrets.token_bytes(16))


def test_another_ring_with_the_same_key_number_is_refused() -> None:
    other = KeyRing()
    other.put(1, secrets.token_bytes(32))
    other.active_id = 1
    assert not accepted(TokenCodec(other), CODEC.mint(Kind.ACCESS, SESSION, SALT, 1, EXPIRY), Kind.ACCESS)


def test_a_key_that_is_not_on_the_ring_is_refused() -> None:
    text = TokenCodec(ring(1, 2)).mint(Kind.ACCESS, SESSION, SALT, 1, EXPIRY)
    assert not accepted(CODEC, text, Kind.ACCESS)


def test_tokens_of_an_older_key_stay_good() -> None:
    text = CODEC.mint(Kind.ACCESS, SESSION, SALT, 1, EXPIRY)
    newer = TokenCodec(ring(1, 2))
    assert accepted(newer, text, Kind.ACCESS)
    assert newer.mint(Kind.ACCESS, SESSION, SALT, 1, EXPIRY) != text


def test_the_same_facts_give_the_same_token() -> None:
    first, second = (CODEC.mint(Kind.REFRESH, SESSION, SALT, 3) for _ in range(2))
    assert first == second


def test_a_sealed_key_is_opened_by_its_master_key_alone() -> None:
    secret = secrets.token_bytes(32)
    sealed = Seal("m" * 32).close(1, secret)
    assert secret not in sealed
    assert Seal("m" * 32).open(1, sealed) == secret
    with pytest.raises(ValueError, match="another master key"):
        Seal("n" * 32).open(1, sealed)


def test_a_sealed_key_cannot_be_passed_off_under_another_number() -> None:
    sealed = Seal("m" * 32).close(1, secrets.token_bytes(32))
    with pytest.raises(ValueError, match="another master key"):
        Seal("m" * 32).open(2, sealed)


def test_a_damaged_sealed_key_is_refused() -> None:
    sealed = bytearray(Seal("m" * 32).close(1, secrets.token_bytes(32)))
    sealed[-1] ^= 1
    with pytest.raises(ValueError, match="another master key"):
        Seal("m" * 32).open(1, bytes(sealed))


def test_macs_of_different_purposes_have_nothing_in_common() -> None:
    keys = ring(1)
    assert keys.mac("token", b"x", 1) != keys.mac("challenge-code", b"x", 1)
    assert keys.mac("token", b"x", 1) == keys.mac("token", b"x", 1)


def test_no_secret_stands_in_the_text_form_of_what_carries_one() -> None:
    from auth_service.model import TokenSet  # noqa: PLC0415

    shown = repr(TokenSet("access-canary", "refresh-canary", EXPIRY, 1, ()))
    assert "canary" not in shown


@pytest.mark.parametrize("expiry", [2**64 - 1, 2**63, 253_402_300_800_000])
def test_an_expiry_beyond_the_calendar_is_no_token(expiry: int) -> None:
    body = struct.pack(">BH16sIQ", Kind.ACCESS, 1, bytes(16), 1, expiry)
    with pytest.raises(GatepostError) as caught:
        CODEC.parse(urlsafe_b64encode(body + bytes(20)).decode(), Kind.ACCESS)
    assert caught.value.reason is Reason.TOKEN_INVALID

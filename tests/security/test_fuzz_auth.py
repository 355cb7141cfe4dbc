"""Whatever reaches auth-service's own parsers and codecs is taken or refused, and a round trip changes nothing."""

import secrets
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from security.fuzzing import fuzzed, hostile, soon, storable

from auth_service import app_rules, identifiers, pkce, token_forms
from auth_service.keys import KeyRing, Seal
from auth_service.model import Pkce, TokenForm
from auth_service.tokens import Kind, TokenCodec
from runtime.errors import GatepostError, Reason

RING = KeyRing()
RING.put(1, b"k" * 32)
RING.active_id = 1
CODEC = TokenCodec(RING)
SEAL = Seal("a master key of the tests, 32 characters")
SALT = b"s" * 16
moments = st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1)).map(  # noqa: DTZ001 hypothesis wants them naive
    lambda at: at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
)


@fuzzed(150)
@given(hostile, hostile)
@example("a" * 64, "b" * 300)
@example("a", "xn--" + "a" * 60)
@example("a", "[127.0.0.1]")
@example('"a b"', "example.com")
def test_an_address_is_normalised_once_and_for_all_or_refused(local: str, domain: str) -> None:
    for value in (f"{local}@{domain}", f"{local}@example.com", f"a@{domain}", local):
        try:
            shown, compared = identifiers.email(value)
        except GatepostError as refused:
            assert [v.field for v in refused.violations] == ["email"]  # noqa: PT017 and nothing else
            identifiers.login(value)  # never refuses
        else:
            assert not set("\r\n\0 <>") & set(shown)
            assert identifiers.email(shown) == (shown, compared)
            assert identifiers.login(shown) == ("email", compared)


@fuzzed(150)
@given(hostile)
def test_a_user_name_and_a_phone_number_are_taken_or_refused(value: str) -> None:
    for check, field in ((identifiers.username, "username"), (identifiers.phone, "phone")):
        for tried in (value, f"+49{value}", f"Ada{value}"):
            try:
                found: Any = check(tried)
            except GatepostError as refused:
                assert [v.field for v in refused.violations] == [field]  # noqa: PT017 and nothing else
            else:
                assert "".join(found).isascii()


@pytest.mark.parametrize("piece", ["a", "@", ".", "a.", "+", "1", "é", "\ufdfa", "[", '"', "xn--a."])
def test_identifiers_built_to_be_slow_are_not(piece: str) -> None:
    many = piece * (65_536 // len(piece))
    with soon():
        for value in (many, f"a@{many}", f"{many}@example.com", f"+49{many}"):
            for check in (identifiers.email, identifiers.username, identifiers.phone):
                with pytest.raises(GatepostError):
                    check(value)
            identifiers.login(value)


@fuzzed(100)
@given(st.sampled_from(Kind), st.uuids(), st.integers(0, 2**32 - 1), st.none() | moments)
def test_a_token_is_read_as_it_was_made(kind: Kind, session: UUID, generation: int, expires: datetime | None) -> None:
    token = CODEC.parse(CODEC.mint(kind, session, SALT, generation, expires), kind)
    CODEC.check(token, SALT)
    assert (token.kind, token.session_id, token.generation) == (kind, session, generation)
    assert token.expires_at is expires or abs((token.expires_at or moments) - expires) < timedelta(milliseconds=2)  # type: ignore[operator]


@fuzzed(150)
@given(hostile, st.binary(max_size=60), st.integers(0, 67), st.characters())
def test_no_other_text_is_a_token(text: str, raw: bytes, at: int, character: str) -> None:
    whole = CODEC.mint(Kind.ACCESS, UUID(int=7), SALT, 3)
    assume(whole[at] != character)
    changed = whole[:at] + character + whole[at + 1 :]
    for tried in (text, text.ljust(68, "A")[:68], urlsafe_b64encode(raw.ljust(51, b"\0")[:51]).decode(), changed):
        for kind in Kind:
            with pytest.raises(GatepostError) as refused:
                CODEC.check(CODEC.parse(tried, kind), SALT)
            assert refused.value.reason is Reason.TOKEN_INVALID


@fuzzed(100)
@given(hostile)
def test_a_key_has_the_form_of_keys(text: str) -> None:
    for form in (TokenForm.SINGLE, TokenForm.SESSION_KEY, TokenForm.WEB):
        key = token_forms.new_key(form)
        assert token_forms.is_key(form, key)
        for tried in (text, key + text, key.upper() + "\n", key[:-1], key + "\n"):
            assert not token_forms.is_key(form, tried) or tried == key


@fuzzed(100)
@given(hostile, hostile)
def test_a_proof_is_of_what_was_said_before(text: str, verifier: str) -> None:
    challenge = text.encode("ascii", "ignore").decode()  # as `check` lets through, and less
    for method in ("S256", "plain", "any"):
        for said in (challenge, "A" * 43):
            for shown in (verifier, "B" * 43):
                assert not pkce.proves(Pkce(said, method), shown) or (said == shown and method != "S256")
    assert not pkce.proves(None, "B" * 43)


@fuzzed(100)
@given(st.integers(0, 65_535), st.binary(max_size=80), st.data())
def test_what_is_sealed_is_opened_again_and_nothing_else_is(key_id: int, secret: bytes, data: st.DataObject) -> None:
    sealed = SEAL.close(key_id, secret)
    assert SEAL.open(key_id, sealed) == secret
    at = data.draw(st.integers(0, len(sealed) - 1))
    spoiled = sealed[:at] + bytes([sealed[at] ^ data.draw(st.integers(1, 255))]) + sealed[at + 1 :]
    for tried in (spoiled, sealed[:at], data.draw(st.binary(max_size=40))):
        with pytest.raises(ValueError):  # noqa: PT011 the library's own for what is too short
            SEAL.open(key_id, tried)
    with pytest.raises(ValueError, match="another master key"):
        SEAL.open(key_id + 1, sealed)
    with pytest.raises(ValueError, match="another master key"):
        Seal(secrets.token_hex(32)).open(key_id, sealed)


@fuzzed(150)
@given(hostile, storable)
def test_urls_origins_and_scopes_of_an_app_are_judged_without_a_fault(text: str, other: str) -> None:
    for tried in (text, f"https://{text}", f"http://[{text}", f"https://host:{text}", f"https://{other}/"):
        for judge in (app_rules._is_redirect_url, app_rules._is_origin, app_rules._is_website):
            if judge(tried):
                assert tried.isprintable()
                assert " " not in tried

"""Whatever is shown as a secret of ours, or travels beside one, is what we gave out or nothing, and never a fault."""

import json
import secrets
from base64 import urlsafe_b64decode
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import cast
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from security.fuzzing import fuzzed, hostile, storable
from unit.auth.an_account import AN_ACCOUNT
from unit.gateway.a_call import a_call

from auth_service import api_keys, limits
from auth_service.challenges import HANDLE_LENGTH, Challenges
from auth_service.keys import KeyRing
from auth_service.known_devices import MOST_SHOWN, KnownDevices
from auth_service.limits import Limit, Limiter
from auth_service.model import Account, Proof, Purpose
from auth_service.passwords import check_new
from auth_service.proof_of_work import ProofOfWork, Terms
from auth_service.reset_links import TOKEN_LENGTH, ResetLinks
from auth_service.wrong_answers import WrongAnswers
from gatepost.auth.v1.sign_in_pb2 import Challenge, ChallengePurpose
from gateway.pages import account_step, apps_form, step
from gateway.settings import GatewaySettings
from gateway.web import authorization, cookies, devices
from runtime import agents
from runtime.clock import ManualClock
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason
from runtime.valkey import Valkey

RING = KeyRing()
RING.put(1, b"k" * 32)
RING.active_id = 1
CLOCK = ManualClock()
NOWHERE = Valkey.connect("unix:///nowhere")  # what asks it has taken something for ours
LIMITER = Limiter(NOWHERE)
LIMIT = Limit("tests", 1, 1)
UNTOLD = cast("WrongAnswers", None)  # likewise
CHALLENGES = Challenges(NOWHERE, RING, CLOCK, LIMITER, UNTOLD, max_tries=5, failures=LIMIT, per_address=LIMIT)
PROOFS = ProofOfWork(NOWHERE, RING, CLOCK, LIMITER, Terms(1, 60, 16, 30, LIMIT))
DEVICES = KnownDevices(RING)
RESET_LINKS = ResetLinks(RING, CLOCK)
SERVICE_KEYS = ServiceKeys(["a key of the tests, of 32 characters", "another key of the tests, as long as it"])
positions = st.integers(0, 1 << 16)


def changed(text: str, at: int, character: str) -> str:
    """Return the text with another character, never with the same."""
    at %= len(text)
    assume(text[at].lower() != character.lower())
    return text[:at] + character + text[at + 1 :]


@fuzzed(80)
@given(hostile, st.binary(max_size=50), positions, st.characters(), st.integers(0, 2**63 - 1))
def test_only_the_token_of_a_device_makes_it_known(
    text: str, raw: bytes, at: int, character: str, version: int
) -> None:
    account = replace(AN_ACCOUNT, security_version=version)
    token = DEVICES.issue(account.id, version)
    assert len(DEVICES.recognize([text, token], account)) == 32
    spoiled = [text, raw.hex(), raw.ljust(42, b"\1")[:42].hex(), changed(token, at, character), token[:-1], token + "0"]
    assert DEVICES.recognize(spoiled[:MOST_SHOWN], account) == ""
    assert DEVICES.recognize(spoiled[MOST_SHOWN:] + [""] * MOST_SHOWN + [token], account) == ""
    assert DEVICES.recognize([token], replace(account, security_version=version - 1 if version else 1)) == ""
    assert DEVICES.recognize([token], None) == ""


@fuzzed(80)
@given(st.lists(hostile | st.from_regex(r"[0-9a-f]{84}", fullmatch=True), max_size=8).map(".".join))
def test_a_browser_keeps_tokens_and_nothing_else(value: str) -> None:
    call = a_call(Cookie=f"{cookies.DEVICES}={value}")
    known, token = devices.known(call), DEVICES.issue(AN_ACCOUNT.id, 1)
    assert all(len(each) == 84 and each.isascii() and each.isalnum() for each in known)
    (line,) = devices.kept(call, token)
    assert line.isascii()
    assert devices.known(a_call(Cookie=line.partition(";")[0]))[0] == token


@fuzzed(80)
@given(hostile, st.binary(max_size=40), positions, st.characters())
async def test_no_other_text_is_the_handle_of_a_challenge(text: str, raw: bytes, at: int, character: str) -> None:
    head = (1).to_bytes(2, "big") + secrets.token_bytes(17)
    handle = (head + bytes(16)).hex()
    assert len(handle) == HANDLE_LENGTH
    assert (await CHALLENGES._locate(Purpose.OTP, handle)).startswith("gatepost:{challenge:")
    for tried in (text, raw.hex(), handle.upper(), handle + "\n", f" {handle[1:]}", changed(handle[:4], at, character)):
        if tried != handle:
            with pytest.raises(GatepostError) as refused:
                await CHALLENGES._locate(Purpose.OTP, tried)
            assert refused.value.reason is Reason.CHALLENGE_FAILED


async def followed(token: str, account: Account) -> UUID:
    """Return whose a reset link is, if that is the account."""
    found = await RESET_LINKS.account_id(token)
    RESET_LINKS.check(token, account)
    return found


@fuzzed(80)
@given(hostile, st.binary(max_size=50), positions, st.characters(), st.integers(0, 2**63 - 1), st.integers(1, 10**6))
async def test_only_the_token_of_a_reset_link_sets_a_password_and_only_in_its_time(
    text: str, raw: bytes, at: int, character: str, version: int, seconds: int
) -> None:
    account = replace(AN_ACCOUNT, security_version=version)
    token = RESET_LINKS.issue(account, CLOCK.now() + timedelta(seconds=seconds))
    assert len(token) == TOKEN_LENGTH
    assert await followed(token, account) == account.id
    nobodys = RESET_LINKS.issue(None, CLOCK.now() + timedelta(seconds=seconds))
    late = RESET_LINKS.issue(account, CLOCK.now())
    forged = (raw.ljust(42, b"\1")[:42].hex(), changed(token, at, character), nobodys, late)
    for tried in (text, raw.hex(), *forged, token[:-1], token + "0", f"{token[:-2]} {token[-1]}"):
        with pytest.raises(GatepostError) as refused:
            await followed(tried, account)
        assert refused.value.reason is Reason.CHALLENGE_FAILED
    with pytest.raises(GatepostError):
        RESET_LINKS.check(token, replace(account, security_version=version - 1 if version else 1))


@fuzzed(80)
@given(hostile, st.binary(max_size=45), positions, st.characters(), st.sampled_from(["", "0", "٣", "²", "-1", "1e3"]))
async def test_no_other_text_is_a_proof_of_work(text: str, raw: bytes, at: int, character: str, nonce: str) -> None:
    hard, easy = (_challenge(bits) for bits in (64, 0))
    for tried in (hard, text, raw.hex(), raw.ljust(40, b"\1")[:40].hex(), changed(easy, at, character)):
        for found in (nonce, text, "1" * 17, "1"):
            assert not await PROOFS._redeem("default", Proof(tried, found))
    assert not await PROOFS._redeem("other", Proof(easy, "1"))
    with pytest.raises(GatepostError) as kept:  # it is ours, so Valkey is asked whether it is new
        await PROOFS._redeem("default", Proof(easy, "1"))
    assert kept.value.reason is Reason.UNAVAILABLE


def _challenge(bits: int) -> str:
    body = (1).to_bytes(2, "big") + PROOFS._now().to_bytes(8, "big") + bytes([bits]) + bytes(13)
    return (body + PROOFS._mac(body, "default")).hex()


@fuzzed(80)
@given(hostile, st.binary(max_size=60), positions, st.characters())
def test_no_other_text_is_the_credential_of_a_service(text: str, raw: bytes, at: int, character: str) -> None:
    token = SERVICE_KEYS.mint("gateway", "auth-service")
    assert SERVICE_KEYS.verify(token, "auth-service") == "gateway"
    spoiled = token.rpartition(".")[0] + "." + changed(token.rpartition(".")[2][:-1], at, character)
    text = text.encode("ascii", "ignore").decode()  # as metadata is
    for tried in (text, f"{text}.{text}.{text}", raw.hex(), f"{'Ww' * 3000}.e30.AA", spoiled):
        with pytest.raises(GatepostError) as refused:
            SERVICE_KEYS.verify(tried, "auth-service")
        assert refused.value.reason is Reason.CALLER_REFUSED


@fuzzed(30)
@given(storable, st.lists(storable, max_size=2))
def test_any_new_password_is_taken_or_too_weak(password: str, own: list[str]) -> None:
    try:
        check_new(password, 8, own)
    except GatepostError as refused:
        assert refused.reason is Reason.WEAK_PASSWORD  # noqa: PT017 and nothing else


@fuzzed(80)
@given(hostile, st.ip_addresses().map(str), st.integers(0, 128))
def test_networks_hold_addresses_and_other_texts_none(text: str, address: str, bits: int) -> None:
    for network in (text, f"{address}/{text}", f"{address}/{bits}", address):
        try:
            held = api_keys._canonical([network])
        except GatepostError as refused:
            assert [v.field for v in refused.violations] == ["networks"]  # noqa: PT017 and nothing else
        else:
            assert api_keys._canonical(held) == held
            api_keys._is_within(text, held)
    assert api_keys._is_within(address, api_keys._canonical([address]))


@fuzzed(80)
@given(hostile, st.ip_addresses().map(str), st.integers(0, 128))
def test_trusted_proxies_are_networks_or_refused(text: str, address: str, bits: int) -> None:
    for value in (text, f"{address}/{bits},{text}", f"{address}/{bits}"):
        try:
            found = GatewaySettings._split_networks(value)
        except ValueError:
            continue
        assert isinstance(found, tuple)
        assert all(ip_network(network) == network for network in found)


@fuzzed(80)
@given(hostile, st.ip_addresses(v=6))
def test_whoever_calls_is_counted_as_somebody(text: str, address: object) -> None:
    assert limits.of_address(text) is not None
    counted = limits.of_address(str(address))
    assert limits.of_address(counted.partition("/")[0]) == counted


@fuzzed(60)
@given(hostile)
def test_what_a_client_calls_itself_is_told_in_a_few_plain_words(text: str) -> None:
    for agent in (text, f"Mozilla/5.0 ({text}) Firefox/{text}", f"{text}/1"):
        said = agents.describe(agent)
        assert said.isascii()
        assert said.isprintable()
        assert len(said) <= 60


@fuzzed(80)
@given(storable, st.sampled_from(["https://app.example/back", "https://app.example/back?a=1", "app:/x", "app:/x?"]))
def test_what_an_app_gave_along_comes_back_as_it_was(state: str, redirect_url: str) -> None:
    location = authorization.send_back(redirect_url, state=state, code="c0de").headers["Location"]
    assert location.startswith(redirect_url)
    assert location.isascii()
    assert location.isprintable()
    assert parse_qs(urlsplit(location).query, keep_blank_values=True, errors="strict").get("state", [""]) == [state]


@fuzzed(80)
@given(storable, st.sampled_from(sorted(step.PURPOSES)))
def test_an_open_step_is_read_as_it_was_kept(typed: str, purpose: str) -> None:
    assume(len(typed.encode()) <= 450)
    challenge = Challenge(handle="a" * 70, purpose=ChallengePurpose.ValueType(step.PURPOSES[purpose]))
    (line,) = step.lead_to("/sign-in/code", challenge, typed).cookies
    assert step.current_step(a_call(Cookie=line.partition(";")[0]), purpose) == step.Step(purpose, "a" * 70, typed)


@fuzzed(80)
@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=100), st.sampled_from(["email", "phone"]))
def test_a_change_under_way_is_read_as_it_was_kept(target: str, kind: str) -> None:
    kept = account_step.Step(kind, target, "b" * 70)
    line = account_step.keep(kept, 60).partition(";")[0]
    assert line.isascii()
    assert json.loads(urlsafe_b64decode(line.partition("=")[2] + "==")) == [kind, target, "b" * 70]
    assert account_step.kept(a_call(Cookie=line), kind) == kept


@fuzzed(60)
@given(hostile)
def test_a_list_typed_line_by_line_has_each_entry_once(value: str) -> None:
    entries = apps_form.lines(value)
    assert apps_form.lines("\r\n".join(entries)) == entries
    assert all(entry == entry.strip() != "" for entry in entries)

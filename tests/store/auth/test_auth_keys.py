"""Keys over time: overlap, revocation at once and everywhere, healing, retirement, the seal, and what others check by.

Two instances on one database; neither runs the loop that reads the keys, so what one knows is up to the test.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import jwt
import pytest
import pytest_asyncio
from store.auth.engines import MASTER_KEY, Engines

from auth_service.audit_export import AuditExport, Selection
from auth_service.key_keeper import SETTLE
from auth_service.key_life import KeyState
from auth_service.keys import Seal
from auth_service.model import Account, App, Purpose, TokenForm, TokenSet
from auth_service.signing import LEAD
from auth_service.store import audit as audit_store
from auth_service.tokens import Kind
from gatepost_cli import exported
from gatepost_cli.errors import CommandFailed
from runtime.costs import _spent
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database

Refused = Callable[..., Any]
FRESH_SECONDS = 1.1
OWN = [TokenForm.SINGLE, TokenForm.SESSION_KEY, TokenForm.WEB]


@dataclass
class House:
    """Two instances, and an app with somebody who uses it."""

    here: Engines
    there: Engines
    app: App
    secret: str
    account: Account

    async def code(self, engines: Engines) -> str:
        return await engines.codes.issue(self.account, self.app, None, engines.clock.now())

    async def exchange(self, engines: Engines, code: str) -> TokenSet:
        client: dict[str, Any] = {"client_id": self.app.client_id, "client_secret": self.secret}
        return (await engines.issuance.exchange(**client, code=code, code_verifier=""))[0]

    async def sign_in(self, engines: Engines) -> TokenSet:
        return await self.exchange(engines, await self.code(engines))

    async def refresh(self, engines: Engines, token: str) -> TokenSet:
        client: dict[str, Any] = {"client_id": self.app.client_id, "client_secret": self.secret}
        return (await engines.issuance.refresh(**client, refresh_token=token))[0]

    async def own(self, engines: Engines, form: TokenForm) -> str:
        async with engines.database.transaction() as connection:
            return (await engines.sessions.open(connection, self.account, form)).token

    async def rotated(self) -> int:
        """Rotate the keys; return the new one's id, in use here and not known there."""
        made, _ = await self.here.keeper.rotate()
        self.here.clock.advance(SETTLE)
        await self.here.keeper.refresh()
        assert self.here.ring.active_id == made.id
        assert not self.there.ring.knows(made.id)
        return made.id

    def export(self) -> AuditExport:
        engines = self.here
        return AuditExport(database=engines.database, signing=engines.signing, audit=engines.audit, clock=engines.clock)

    async def file(self, path: Path, **selection: Any) -> Path:
        """Export to a file."""
        await exported.write(path, self.export()(Selection(**selection)))
        return path

    async def key_set(self) -> str:
        return json.dumps(await self.here.signing.key_set())


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Any, valkey_url: Callable[[], str]) -> AsyncIterator[House]:
    database = await Database.connect(postgres.create_database("auth_service"), max_size=20)
    url = valkey_url()
    here = await Engines.open(database, url)
    there = await Engines.open(database, url, here.clock)
    app, secret = await here.app()
    yield House(here, there, app, secret, await here.account(app))
    await here.close()
    await there.close()
    await database.close()


async def emergency(house: House) -> None:
    await house.here.keeper.rotate(emergency=True)


async def test_in_an_emergency_every_token_ends_at_once_also_where_nobody_has_heard_of_it(
    house: House, refused: Refused
) -> None:
    pair = await house.sign_in(house.there)
    own = {form: await house.own(house.there, form) for form in OWN}
    await emergency(house)
    for engines in (house.there, house.here):
        await refused(engines.sessions.authenticate(pair.access_token), Reason.TOKEN_INVALID)
        await refused(house.refresh(engines, pair.refresh_token), Reason.TOKEN_INVALID)
        for form, token in own.items():
            await refused(engines.sessions.authenticate(token, form), Reason.TOKEN_INVALID)


async def test_in_an_emergency_every_code_ends_at_once_also_where_nobody_has_heard_of_it(
    house: House, refused: Refused
) -> None:
    codes = [await house.code(house.there) for _ in range(2)]
    await emergency(house)
    for engines, code in zip((house.there, house.here), codes, strict=True):
        await refused(house.exchange(engines, code), Reason.CODE_INVALID)


async def test_in_an_emergency_every_challenge_ends_within_a_second_also_where_nobody_has_heard_of_it(
    house: House, refused: Refused
) -> None:
    by_handle = await house.there.challenges.open(Purpose.RESET, "by handle", {}, 600)
    by_subject = await house.there.challenges.open(Purpose.RESET, "by subject", {}, 600, by_subject=True)
    await emergency(house)
    await asyncio.sleep(FRESH_SECONDS)
    for engines in (house.there, house.here):
        for opened in (by_handle, by_subject):
            claim = engines.challenges.claim(Purpose.RESET, opened.challenge.handle, opened.code)
            await refused(claim, Reason.CHALLENGE_FAILED)
        await refused(
            engines.challenges.claim_of(Purpose.RESET, "by subject", by_subject.code), Reason.CHALLENGE_FAILED
        )


async def test_who_has_not_heard_of_an_emergency_opens_nothing_that_lives(house: House, refused: Refused) -> None:
    await emergency(house)
    with pytest.raises(GatepostError) as caught:
        await house.own(house.there, TokenForm.WEB)
    assert caught.value.reason is Reason.CONFLICT
    await refused(house.exchange(house.there, await house.code(house.there)), Reason.CODE_INVALID)
    await house.there.keeper.refresh()
    tokens = await house.sign_in(house.there)
    await house.here.sessions.authenticate(tokens.access_token)


async def test_a_refresh_under_way_in_an_emergency_brings_nothing_back(house: House, refused: Refused) -> None:
    tokens = await house.sign_in(house.there)
    refreshed, _ = await asyncio.gather(
        house.refresh(house.there, tokens.refresh_token), emergency(house), return_exceptions=True
    )
    if isinstance(refreshed, TokenSet):
        await refused(house.here.sessions.authenticate(refreshed.access_token), Reason.TOKEN_INVALID)
        await refused(house.refresh(house.here, refreshed.refresh_token), Reason.TOKEN_INVALID)


async def test_after_an_emergency_the_new_keys_are_used_at_once_and_those_before_are_kept_as_revoked(
    house: House,
) -> None:
    before = await house.sign_in(house.here)
    await emergency(house)
    after = await house.sign_in(house.here)
    await house.here.sessions.authenticate(after.access_token)
    assert after.access_token[:4] != before.access_token[:4]  # another key id
    listed = await house.here.keeper.list_all()
    assert [(row.id, state) for row, state in listed.keys] == [(2, KeyState.ACTIVE), (1, KeyState.REVOKED)]
    assert [state for _, state in listed.signing_keys] == [KeyState.ACTIVE, KeyState.REVOKED]


async def test_sessions_that_an_emergency_ended_are_not_listed(house: House) -> None:
    await house.own(house.here, TokenForm.WEB)
    await emergency(house)
    assert await house.here.sessions.list_live(house.account.id) == []


async def test_a_key_that_an_instance_missed_is_found_when_it_is_first_met(house: House) -> None:
    await house.rotated()
    tokens = await house.sign_in(house.here)
    session, _ = await house.there.sessions.authenticate(tokens.access_token)
    assert session.account_id == house.account.id


async def test_a_code_and_a_challenge_of_a_missed_key_are_good(house: House) -> None:
    await house.rotated()
    code = await house.code(house.here)
    opened = await house.here.challenges.open(Purpose.OTP, "somebody", {}, 600)
    await house.there.challenges.claim(Purpose.OTP, opened.challenge.handle, opened.code)
    await house.exchange(house.there, code)


async def test_keys_that_there_are_not_cost_no_more_than_four_readings_a_second(house: House, refused: Refused) -> None:
    forged = []
    for key_id in range(60_000, 60_050):
        house.there.ring.put(key_id, bytes(32))
        forged.append(house.there.tokens.mint(Kind.ACCESS, uuid4(), bytes(16), 1, key_id=key_id))
    before, began = _spent["statement", "key lookup"], monotonic()
    await asyncio.gather(*(refused(house.here.sessions.authenticate(each), Reason.TOKEN_INVALID) for each in forged))
    for each in forged[:5]:
        await refused(house.here.sessions.authenticate(each), Reason.TOKEN_INVALID)
    assert _spent["statement", "key lookup"] - before <= (monotonic() - began) / 0.25 + 1


async def test_a_refresh_that_is_repeated_after_a_rotation_has_the_same_successor(house: House) -> None:
    tokens = await house.sign_in(house.here)
    first = await house.refresh(house.here, tokens.refresh_token)
    made, _ = await house.here.keeper.rotate()
    house.here.ring.active_id = made.id  # as if it had been made ten seconds before
    again = await house.refresh(house.here, tokens.refresh_token)
    assert again.refresh_token == first.refresh_token
    await house.here.sessions.authenticate(again.access_token)
    newer = await house.refresh(house.there, first.refresh_token)
    assert (await house.refresh(house.here, newer.refresh_token)).refresh_token != newer.refresh_token


async def test_a_successor_by_a_new_key_is_the_same_where_the_key_is_not_known(house: House) -> None:
    tokens = await house.sign_in(house.here)
    await house.rotated()
    first = await house.refresh(house.here, tokens.refresh_token)
    assert (await house.refresh(house.there, tokens.refresh_token)).refresh_token == first.refresh_token


async def test_a_key_is_dropped_once_nothing_can_be_made_with_it_any_more(house: House) -> None:
    await house.sign_in(house.here)
    second = await house.rotated()
    house.here.clock.advance(timedelta(days=7) + LEAD)
    assert [state for _, state in (await house.here.keeper.list_all()).keys] == [KeyState.ACTIVE, KeyState.RETIRED]
    await house.here.keeper.retire()
    listed = await house.here.keeper.list_all()
    assert [row.id for row, _ in listed.keys] == [second]
    assert len(listed.signing_keys) == 1
    await house.here.keeper.refresh()
    assert not house.here.ring.knows(1)


async def test_a_key_stays_while_a_session_lives_that_was_made_with_it(house: House) -> None:
    tokens = await house.sign_in(house.here)
    await house.rotated()
    house.here.clock.advance(timedelta(days=7, seconds=1))
    async with house.here.database.acquire() as connection:  # opened when sessions could live longer
        await connection.execute("UPDATE sessions SET expires_at = $1", house.here.clock.now() + timedelta(days=1))
    await house.here.keeper.retire()
    assert [row.id for row, _ in (await house.here.keeper.list_all()).keys] == [2, 1]
    await house.refresh(house.here, tokens.refresh_token)
    await house.here.keeper.retire()
    assert [row.id for row, _ in (await house.here.keeper.list_all()).keys] == [2]


async def test_a_revoked_key_is_never_dropped(house: House) -> None:
    await emergency(house)
    house.here.clock.advance(timedelta(days=3000))
    await house.here.keeper.retire()
    assert [row.id for row, _ in (await house.here.keeper.list_all()).keys] == [2, 1]


async def test_no_table_holds_a_key_unsealed(house: House) -> None:
    await house.sign_in(house.here)
    async with house.here.database.acquire() as connection:
        names = [
            row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        dump = "".join([str(await connection.fetch(f'SELECT t::text FROM "{name}" t')) for name in names])  # noqa: S608
        (row,) = await connection.fetch("SELECT id, sealed FROM signing_keys")
    secrets = [house.here.ring.secret(1), house.here.seal.open(f"signing:{row['id']}", row["sealed"])]
    assert row["id"] in dump
    for secret in secrets:
        assert secret is not None
        assert secret.hex() not in dump
        assert b64encode(secret).decode().rstrip("=") not in dump


async def test_after_resealing_the_master_key_before_is_not_needed(house: House) -> None:
    tokens = await house.sign_in(house.here)
    both = Seal("another-master-key-of-the-tests-long-enough", MASTER_KEY)
    house.here.keeper._seal = house.here.signing._seal = both
    assert await house.here.keeper.reseal() == 2
    fresh = await _instance(house, "another-master-key-of-the-tests-long-enough")
    await fresh.sessions.authenticate(tokens.access_token)
    assert (await fresh.signing.key_set()) == (await house.here.signing.key_set())
    with pytest.raises(ValueError, match="another master key"):
        await _instance(house, MASTER_KEY)


async def _instance(house: House, master_key: str) -> Engines:
    made = Engines(house.here.database, house.here.valkey, house.here.clock, house.here.sink)
    made.keeper._seal = made.signing._seal = Seal(master_key)
    await made.keeper.load()
    return made


async def test_resealing_changes_nothing_where_a_key_cannot_be_opened(house: House) -> None:
    house.here.keeper._seal = Seal("another-master-key-of-the-tests-long-enough")
    with pytest.raises(ValueError, match="another master key"):
        await house.here.keeper.reseal()
    await (await _instance(house, MASTER_KEY)).keeper.refresh()


async def test_a_revocation_is_in_force_where_the_new_key_cannot_be_opened(house: House, refused: Refused) -> None:
    opened = await house.there.challenges.open(Purpose.RESET, "somebody", {}, 600)
    house.here.keeper._seal = house.here.signing._seal = Seal("another-master-key-of-the-tests-long-enough", MASTER_KEY)
    await emergency(house)
    await asyncio.sleep(FRESH_SECONDS)
    claim = house.there.challenges.claim(Purpose.RESET, opened.challenge.handle, opened.code)
    await refused(claim, Reason.CHALLENGE_FAILED)


async def test_the_key_set_is_one_by_the_standard(house: House) -> None:
    (key,) = jwt.PyJWKSet.from_json(await house.key_set()).keys
    jws = await house.here.signing.sign(b"payload", "test")
    head, _, signature = jws.split(".")
    whole = f"{head}.{b64encode(b'payload').decode().rstrip('=')}.{signature}"
    found = jwt.PyJWS().decode_complete(whole, key, algorithms=["ES256"])
    assert (found["header"]["kid"], found["header"]["typ"]) == (key.key_id, "test")
    (said,) = (await house.here.signing.key_set())["keys"]
    assert set(said) == {"kty", "crv", "x", "y", "kid", "use", "alg"}  # nothing private


async def test_a_new_signing_key_is_published_before_it_signs_and_the_one_before_stays(house: House) -> None:
    (old,) = (await house.here.signing.key_set())["keys"]
    await house.here.keeper.rotate()
    new, still = (await house.here.signing.key_set())["keys"]
    assert still == old
    assert await signer(house) == old["kid"]
    house.here.clock.advance(LEAD)
    assert await signer(house) == new["kid"]


async def test_in_an_emergency_the_signing_keys_before_are_published_no_more(house: House) -> None:
    (old,) = (await house.here.signing.key_set())["keys"]
    await emergency(house)
    (new,) = (await house.here.signing.key_set())["keys"]
    assert new["kid"] != old["kid"]
    assert await signer(house) == new["kid"]


async def signer(house: House) -> str:
    return str(jwt.PyJWS().get_unverified_header(await house.here.signing.sign(b"", "test"))["kid"])


async def test_an_exported_trail_is_whole_in_order_and_verified(house: House, tmp_path: Path) -> None:
    events = [house.here.audit.event("test.act", project="p", account_id=house.account.id) for _ in range(1300)]
    async with house.here.database.acquire() as connection:
        await audit_store.insert_many(connection, events)
    house.here.clock.advance(timedelta(seconds=1))
    path = await house.file(tmp_path / "trail.jsonl", action="test.act")
    signed = exported.check(path, await house.key_set())
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    ids = [line["id"] for line in lines[:-2]]
    assert (signed.events, len(ids), ids) == (1300, 1300, sorted(ids))
    assert (lines[-2]["export"]["events"], lines[-2]["export"]["action"]) == (1300, "test.act")
    assert path.stat().st_mode & 0o077 == 0


async def test_an_empty_export_is_signed_too(house: House, tmp_path: Path) -> None:
    path = await house.file(tmp_path / "trail.jsonl", action="no.such")
    assert exported.check(path, await house.key_set()).events == 0


@pytest.mark.parametrize("change", ["altered", "left out", "added", "swapped", "cut", "not signed", "summary"])
async def test_an_exported_trail_that_was_changed_is_not_verified(house: House, tmp_path: Path, change: str) -> None:
    await house.sign_in(house.here)
    house.here.clock.advance(timedelta(seconds=1))
    path = await house.file(tmp_path / "trail.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) > 4
    match change:
        case "altered":
            lines[1] = lines[1].replace(b"success", b"failure")
        case "left out":
            del lines[1]
        case "added":
            lines.insert(1, lines[0])
        case "swapped":
            lines[0], lines[1] = lines[1], lines[0]
        case "cut":
            lines = lines[:-2]
        case "not signed":
            lines = lines[:-1]
        case "summary":
            lines[-2] = lines[-2].replace(b'"action": null', b'"action": "x"')
    path.write_bytes(b"".join(lines))
    with pytest.raises(CommandFailed):
        exported.check(path, await house.key_set())


async def test_an_export_signed_by_a_revoked_key_is_not_verified(house: House, tmp_path: Path) -> None:
    path = await house.file(tmp_path / "trail.jsonl")
    published = await house.key_set()
    await emergency(house)
    exported.check(path, published)
    with pytest.raises(CommandFailed, match="not published"):
        exported.check(path, await house.key_set())


async def test_an_export_keeps_to_what_was_asked_for(house: House, tmp_path: Path) -> None:
    began = house.here.clock.now()
    times = []
    for _ in range(3):
        house.here.clock.advance(timedelta(hours=1))
        times.append(house.here.clock.now())
        async with house.here.database.acquire() as connection:
            for project in ("p", "q"):
                await house.here.audit.record(connection, "test.act", project=project)
    path = await house.file(tmp_path / "trail.jsonl", since=times[0], until=times[2], project="p")
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][:-2]
    assert [(each["action"], each["project"]) for each in found] == [("test.act", "p")] * 2
    assert began < times[0]


async def test_acts_on_keys_are_recorded(house: House) -> None:
    await house.here.keeper.rotate()
    await house.here.keeper.rotate(emergency=True)
    await house.here.keeper.reseal()
    [line async for line in house.export()(Selection())]
    async with house.here.database.acquire() as connection:
        found = await audit_store.fetch_page(connection, None, 2**62, 4)
    assert [each.action for each in found] == ["audit.export", "key.reseal", "key.revoke_all", "key.rotate"]
    assert {each.actor for each in found} == {"service:auth-service"}

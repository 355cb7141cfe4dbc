"""Keeps the ring equal to the store, and does what operators do with keys: rotate, revoke, reseal, list, drop.

Token keys and signing keys go together: one command makes new ones of both. Every instance reads the keys twice a
second, so it knows a new one long before anybody uses it, and a revoked one is gone within the second. See ADR 18.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from auth_service.audit import Audit
from auth_service.key_life import KeyState, active, states
from auth_service.keys import KeyRing, Seal
from auth_service.signing import LEAD, SigningKeys
from auth_service.store import keys as store
from auth_service.store import signing_keys as signing_store
from auth_service.store.keys import StoredKey
from auth_service.store.signing_keys import StoredSigningKey
from runtime.clock import Clock
from runtime.coalescing import Coalesced
from runtime.context import CallContext, bound
from runtime.logs import get_logger
from runtime.postgres import Connection, Database

REFRESH_SECONDS = 0.5
RETIRE_SECONDS = 3600.0
SETTLE = timedelta(seconds=10)
_SECRET_BYTES = 32
# How soon after one reading the next may be asked for: whoever shows key ids that do not exist costs no more than this.
_AGAIN_SECONDS = 0.25
# By then every instance has read the keys anew, the variation of the loop's pause included.
KNOWN_SECONDS = 0.8
_MOST_WAITING = 10_000


@dataclass(frozen=True, slots=True)
class Listed:
    """All keys with their states, newest first."""

    keys: Sequence[tuple[StoredKey, KeyState]]
    signing_keys: Sequence[tuple[StoredSigningKey, KeyState]]


class KeyKeeper:
    """The keeper. Dependencies as named; see main.py.

    `longest` is how long anything made with a key can live, `known_seconds` after how long every instance knows what
    was revoked.
    """

    def __init__(
        self,
        *,
        database: Database,
        ring: KeyRing,
        signing: SigningKeys,
        seal: Seal,
        audit: Audit,
        clock: Clock,
        longest: timedelta,
        known_seconds: float = KNOWN_SECONDS,
    ) -> None:
        self._database = database
        self._ring = ring
        self._signing = signing
        self._seal = seal
        self._audit = audit
        self._clock = clock
        self._longest = longest
        self._known_seconds = known_seconds
        ring.read_by(Coalesced(self._read, most=_MOST_WAITING))

    async def load(self) -> None:
        """Fill the ring, making keys if there are no good ones; safe when several instances start at once.

        Raises:
            ValueError: A key is sealed under a master key that we do not have.
        """
        async with self._database.transaction() as connection:
            await store.lock(connection)
            rows = await store.fetch_all(connection)
            if all(row.revoked_at for row in rows):  # none yet, or a restored copy
                await self._add(connection, max((row.id for row in rows), default=0) + 1)
            if all(row.revoked_at for row in await signing_store.fetch_all(connection)):
                await self._signing.add(connection)
        await self.refresh()

    async def refresh(self) -> bool:
        """Take in what other instances have made and revoked; a step of a background loop.

        Raises:
            ValueError: A key is sealed under a master key that we do not have; all else is taken in.
        """
        read_at = monotonic()
        async with self._database.acquire() as connection:
            rows = await store.fetch_all(connection)
        held: dict[int, bytes] = {}
        shut: ValueError | None = None
        for row in rows:
            if row.revoked_at is not None:
                continue
            try:
                held[row.id] = self._ring.secret(row.id) or self._seal.open(row.id, row.sealed)
            except ValueError as exc:
                shut = exc
        used = active([row for row in rows if row.id in held], self._clock.now(), SETTLE)
        newest = max((row.id for row in rows), default=0)
        self._ring.fill(held, active_id=used.id if used else 0, newest=newest, read_at=read_at)
        if shut is not None:
            raise shut
        return False

    async def rotate(self, *, emergency: bool = False) -> tuple[StoredKey, StoredSigningKey]:
        """Make new keys. They are used once everybody knows them; what was made with those before stays good.

        In an emergency those before are revoked, and with them ends every session, code and challenge there is, all in
        one commit; the new ones are used at once, and it returns when every instance has them.
        """
        async with self._database.transaction() as connection:
            await store.lock(connection)
            row = await self._add(connection, max(r.id for r in await store.fetch_all(connection)) + 1)
            if emergency:
                await store.revoke_before(connection, row.id, row.created_at)
                await signing_store.revoke_all(connection, row.created_at)
            signing_row = await self._signing.add(connection)
            await self._audit.record(connection, "key.revoke_all" if emergency else "key.rotate", by_user=False)
        await self.refresh()
        if emergency:
            await asyncio.sleep(self._known_seconds)
        return row, signing_row

    async def reseal(self) -> int:
        """Seal every key anew under the first master key; return how many there are.

        Raises:
            ValueError: One is sealed under a master key that we do not have; nothing is changed.
        """
        async with self._database.transaction() as connection:
            await store.lock(connection)
            sealed = [
                (row.id, self._seal.close(row.id, self._seal.open(row.id, row.sealed)))
                for row in await store.fetch_all(connection)
            ]
            signing_sealed = self._signing.resealed(await signing_store.fetch_all(connection))
            await store.reseal(connection, sealed)
            await signing_store.reseal(connection, signing_sealed)
            await self._audit.record(connection, "key.reseal", by_user=False)
        return len(sealed) + len(signing_sealed)

    async def list_all(self) -> Listed:
        """Return the stored keys."""
        async with self._database.acquire() as connection:
            return await self._listed(connection)

    async def retire(self) -> bool:
        """Drop keys that nothing alive is made with any more; a step of a background loop."""
        async with self._database.acquire() as connection:
            listed = await self._listed(connection)
            now = self._clock.now()
            over = [
                row.id
                for row, state in listed.keys
                if state is KeyState.RETIRED and not await store.is_in_use(connection, row.id, now)
            ]
        signing_over = [row.id for row, state in listed.signing_keys if state is KeyState.RETIRED]
        if over or signing_over:
            async with self._database.transaction() as connection:
                await store.lock(connection)
                for key_id in over:
                    await store.delete(connection, key_id)
                for kid in signing_over:
                    await signing_store.delete(connection, kid)
                await self._audit.record(connection, "key.drop", by_user=False)
            get_logger().info("keys dropped", keys=over, signing_keys=signing_over)
        return False

    async def _listed(self, connection: Connection) -> Listed:
        now = self._clock.now()
        rows, signing_rows = await store.fetch_all(connection), await signing_store.fetch_all(connection)
        return Listed(
            list(zip(rows, states(rows, now, SETTLE, self._longest), strict=True))[::-1],
            list(zip(signing_rows, states(signing_rows, now, LEAD, self._longest), strict=True))[::-1],
        )

    async def _read(self, wanted: Sequence[int]) -> list[None]:
        """Read the ring anew for all who look for a key."""
        pause = self._ring.read_at + _AGAIN_SECONDS - monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        with bound(CallContext(work="key lookup")):
            try:
                await self.refresh()
            except ValueError as exc:  # those that can be opened are on the ring
                get_logger().error("a key cannot be opened", error=str(exc))
        return [None] * len(wanted)

    async def _add(self, connection: Connection, key_id: int) -> StoredKey:
        row = StoredKey(key_id, self._seal.close(key_id, secrets.token_bytes(_SECRET_BYTES)), self._clock.now())
        await store.insert(connection, row)
        return row


async def check_openable(database: Database, seal: Seal) -> None:
    """Look whether an instance could start on a database.

    Raises:
        ValueError: A token key is sealed under a master key that we do not have.
    """
    async with database.acquire() as connection:
        for row in await store.fetch_all(connection):
            seal.open(row.id, row.sealed)

"""The keys that tokens and short codes are made with: a ring of generations, sealed at rest under the master key.

The newest is active once all instances know it; older ones stay on the ring, so that what they made stays good.
`KeyKeeper` loads the ring from the store and notices keys that another instance has added.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auth_service.store import keys as store
from runtime.clock import Clock
from runtime.costs import spend
from runtime.postgres import Database

REFRESH_SECONDS = 2.0
SETTLE_SECONDS = 10
_SECRET_BYTES = 32
_NONCE_BYTES = 12


class KeyRing:
    """The keys in memory. Filled by KeyKeeper before anything else starts."""

    def __init__(self) -> None:
        self._secrets: dict[int, bytes] = {}
        self._derived: dict[tuple[int, str], bytes] = {}
        self.active_id = 0

    def put(self, key_id: int, secret: bytes) -> None:
        """Add a key, not yet active."""
        self._secrets[key_id] = secret

    def knows(self, key_id: int) -> bool:
        """Say whether the ring holds this key."""
        return key_id in self._secrets

    def mac(self, purpose: str, data: bytes, key_id: int) -> bytes:
        """Return HMAC-SHA-256 (32 bytes) under a subkey of the key for this purpose."""
        spend("signature")
        subkey = self._derived.get((key_id, purpose))
        if subkey is None:
            subkey = hmac.digest(self._secrets[key_id], purpose.encode(), "sha256")
            self._derived[key_id, purpose] = subkey
        return hmac.digest(subkey, data, "sha256")


class Seal:
    """Encrypts keys at rest with AES-256-GCM under a key derived from the master key.

    Args:
        master_key: The operator's secret.
    """

    def __init__(self, master_key: str) -> None:
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"gatepost key seal v1")
        self._cipher = AESGCM(derive.derive(master_key.encode()))

    def close(self, key_id: int, secret: bytes) -> bytes:
        """Return nonce and ciphertext, bound to the key's id."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, str(key_id).encode())

    def open(self, key_id: int, sealed: bytes) -> bytes:
        """Return the secret.

        Raises:
            ValueError: Sealed under another master key, or damaged.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], str(key_id).encode())
        except InvalidTag:
            raise ValueError("the token keys in the database are sealed under another master key") from None


class KeyKeeper:
    """Keeps the ring equal to the store.

    Args:
        database: Where the sealed keys are.
        ring: The ring to fill.
        seal: Opens and closes keys.
        clock: For creation times.
    """

    def __init__(self, database: Database, ring: KeyRing, seal: Seal, clock: Clock) -> None:
        self._database = database
        self._ring = ring
        self._seal = seal
        self._clock = clock

    async def load(self) -> None:
        """Fill the ring, making the first key if there is none; safe when several instances start at once."""
        async with self._database.transaction() as connection:
            await store.lock(connection)
            if not await store.fetch_all(connection):
                await self._add(connection, 1)
        await self.refresh()

    async def refresh(self) -> bool:
        """Take in keys that other instances have made; a step of a background loop."""
        rows = await self.list()
        for row in rows:
            if not self._ring.knows(row.id):
                self._ring.put(row.id, self._seal.open(row.id, row.sealed))
        self._ring.active_id = self.active_id(rows)
        return False

    async def rotate(self) -> store.StoredKey:
        """Make a new key; every instance knows it before the first one uses it, SETTLE_SECONDS from now."""
        async with self._database.transaction() as connection:
            await store.lock(connection)
            row = await self._add(connection, max(r.id for r in await store.fetch_all(connection)) + 1)
        await self.refresh()
        return row

    async def list(self) -> list[store.StoredKey]:
        """Return the stored keys, newest first."""
        async with self._database.acquire() as connection:
            return sorted(await store.fetch_all(connection), key=lambda row: -row.id)

    def active_id(self, rows: Sequence[store.StoredKey]) -> int:
        """Return the newest key that all instances have had time to load; the first key at once."""
        settled = self._clock.now() - timedelta(seconds=SETTLE_SECONDS)
        return max((row.id for row in rows if row.created_at <= settled), default=min(row.id for row in rows))

    async def _add(self, connection: store.Connection, key_id: int) -> store.StoredKey:
        sealed = self._seal.close(key_id, secrets.token_bytes(_SECRET_BYTES))
        row = store.StoredKey(key_id, sealed, self._clock.now())
        await store.insert(connection, row)
        return row


def digest(value: str | bytes) -> bytes:
    """Return SHA-256 (32 bytes): how machine-made secrets of 128 bits or more are stored."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).digest()

"""The keys that tokens and short codes are made with, in memory, and the seal that keys lie under in the database.

`key_keeper` fills the ring and keeps it equal to what is stored; engines look keys up here, and make MACs with them.
"""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime.costs import spend
from runtime.errors import GatepostError, Reason

# A ring older than this is read anew before anything is accepted by it: what was revoked is refused after that long,
# also by an instance whose background loop hangs.
_FRESH_SECONDS = 1.0
_NONCE_BYTES = 12
Read = Callable[[int], Awaitable[None]]


class KeyRing:
    """The keys in memory. Filled by KeyKeeper before anything else starts; revoked keys are not on it."""

    def __init__(self) -> None:
        self.active_id = 0
        self.read_at = float("-inf")  # monotonic: when that which is on it was asked for
        self._newest = 0
        self._secrets: dict[int, bytes] = {}
        self._derived: dict[tuple[int, str], bytes] = {}
        self._read: Read | None = None

    def read_by(self, read: Read) -> None:
        """Name what reads the ring anew, for the sake of a key that is looked for."""
        self._read = read

    def put(self, key_id: int, secret: bytes) -> None:
        """Add a key, not yet active."""
        self._secrets[key_id] = secret
        self._newest = max(self._newest, key_id)

    def fill(self, secrets_by_id: Mapping[int, bytes], *, active_id: int, newest: int, read_at: float) -> None:
        """Hold these keys and no others.

        Args:
            secrets_by_id: The keys that are good.
            active_id: Which of them new tokens are made with; 0 for none.
            newest: The newest key that there is, good or not.
            read_at: When they were asked for, in monotonic seconds; what was asked for before is passed over.
        """
        if read_at < self.read_at:
            return
        self.active_id, self.read_at, self._newest = active_id, read_at, newest
        self._secrets = dict(secrets_by_id)
        self._derived = {name: subkey for name, subkey in self._derived.items() if name[0] in self._secrets}

    def secret(self, key_id: int) -> bytes | None:
        """Return a key, None if the ring does not hold it."""
        return self._secrets.get(key_id)

    def knows(self, key_id: int) -> bool:
        """Say whether the ring holds this key."""
        return key_id in self._secrets

    async def find(self, key_id: int) -> bool:
        """Say whether a key is good, as of the last second; the ring is read anew for one newer than all it knows of.

        Raises:
            GatepostError: UNAVAILABLE if the ring is too old and cannot be read.
        """
        if self._read is not None and (key_id > self._newest or monotonic() - self.read_at > _FRESH_SECONDS):
            await self._read(key_id)
        return key_id in self._secrets

    def mac(self, purpose: str, data: bytes, key_id: int) -> bytes:
        """Return HMAC-SHA-256 (32 bytes) under a subkey of the key for this purpose.

        Raises:
            GatepostError: UNAVAILABLE if the ring does not hold the key (any more).
        """
        spend("signature")
        subkey = self._derived.get((key_id, purpose))
        if subkey is None:
            secret = self._secrets.get(key_id)
            if secret is None:  # revoked this very moment
                raise GatepostError(Reason.UNAVAILABLE, "the key is gone", retry_after_seconds=1)
            subkey = hmac.digest(secret, purpose.encode(), "sha256")
            self._derived[key_id, purpose] = subkey
        return hmac.digest(subkey, data, "sha256")


class Seal:
    """Encrypts keys at rest with AES-256-GCM under a key derived from the master key.

    Args:
        master_keys: The operator's secrets: the first seals, all open.
    """

    def __init__(self, *master_keys: str) -> None:
        self._ciphers = [
            AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"gatepost key seal v1").derive(each))
            for each in map(str.encode, master_keys)
        ]

    def close(self, name: int | str, secret: bytes) -> bytes:
        """Return nonce and ciphertext, bound to the key's name, which no key of another sort has."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, secret, str(name).encode())

    def open(self, name: int | str, sealed: bytes) -> bytes:
        """Return the secret.

        Raises:
            ValueError: Sealed under another master key, or damaged.
        """
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], str(name).encode())
            except InvalidTag:
                continue
        raise ValueError("the token keys in the database are sealed under another master key")


def digest(value: str | bytes) -> bytes:
    """Return SHA-256 (32 bytes): how machine-made secrets of 128 bits or more are stored."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).digest()

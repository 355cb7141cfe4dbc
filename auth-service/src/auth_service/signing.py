"""Keys that sign what others check without a secret of ours: ES256 (RFC 7518), published as a JWK Set (RFC 7517).

Private halves lie sealed in the database, and public ones are computed from them, so that who can write there but does
not have the master key cannot make us publish a key of his. A new key is published before it signs, so that no cached
set lacks it; those before stay published while they may be needed, unless revoked. `key_keeper` makes, revokes and
drops them in its transactions; `audit_export` signs. Nothing is kept in memory: it is asked for by few.
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm

from auth_service.key_life import active
from auth_service.keys import Seal
from auth_service.store import signing_keys as store
from auth_service.store.signing_keys import StoredSigningKey
from runtime.clock import Clock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Connection, Database

ALGORITHM = "ES256"
CACHE_SECONDS = 60
"""How long others may keep the published set."""
LEAD = timedelta(seconds=CACHE_SECONDS + 10)
_SECRET_BYTES = 32
_JWS = PyJWS()


class SigningKeys:
    """Publishes and signs.

    Args:
        database: Where the sealed keys are.
        seal: Opens and closes them.
        clock: For creation times.
    """

    def __init__(self, database: Database, seal: Seal, clock: Clock) -> None:
        self._database = database
        self._seal = seal
        self._clock = clock

    async def add(self, connection: Connection) -> StoredSigningKey:
        """Make a key in the caller's transaction."""
        private = ec.generate_private_key(ec.SECP256R1())
        kid = _public(private)["kid"]
        secret = private.private_numbers().private_value.to_bytes(_SECRET_BYTES, "big")
        row = StoredSigningKey(kid, self._seal.close(_name(kid), secret), self._clock.now())
        await store.insert(connection, row)
        return row

    def resealed(self, rows: list[StoredSigningKey]) -> list[tuple[str, bytes]]:
        """Return id and a new seal of each key, under the first master key.

        Raises:
            ValueError: One is sealed under a master key that we do not have.
        """
        return [(row.id, self._seal.close(_name(row.id), self._seal.open(_name(row.id), row.sealed))) for row in rows]

    async def key_set(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys as a JWK Set, newest first."""
        rows = await self._rows()
        return {"keys": [_public(self._private(row)) for row in reversed(rows) if row.revoked_at is None]}

    async def sign(self, payload: bytes, kind: str) -> str:
        """Return a JWS of a payload with the payload left out (RFC 7515, appendix F).

        Args:
            payload: What is signed.
            kind: Media type of the whole, for the header `typ`, so that what is signed for one purpose passes for no
                other.

        Raises:
            GatepostError: UNAVAILABLE if there is no key.
        """
        row = active(await self._rows(), self._clock.now(), LEAD)
        if row is None:
            raise GatepostError(Reason.UNAVAILABLE, "there is no signing key", retry_after_seconds=1)
        whole = _JWS.encode(payload, self._private(row), ALGORITHM, headers={"kid": row.id, "typ": kind})
        header, _, signature = whole.split(".")
        return f"{header}..{signature}"

    async def _rows(self) -> list[StoredSigningKey]:
        async with self._database.acquire() as connection:
            return await store.fetch_all(connection)

    def _private(self, row: StoredSigningKey) -> ec.EllipticCurvePrivateKey:
        secret = self._seal.open(_name(row.id), row.sealed)
        return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())


def _public(private: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """Return the public half as a JWK, named by its thumbprint (RFC 7638)."""
    bare: dict[str, Any] = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    members = {name: str(bare[name]) for name in ("crv", "kty", "x", "y")}  # in the order that is hashed
    hashed = hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
    kid = urlsafe_b64encode(hashed).rstrip(b"=").decode()
    return {**members, "kid": kid, "use": "sig", "alg": ALGORITHM}


def _name(kid: str) -> str:
    """Return what the seal of a signing key is bound to; those of token keys are numbers."""
    return f"signing:{kid}"

"""The one Code engine: one-time codes that an app exchanges for tokens (`code`, `auth_key`).

    issued -> used (tombstone until expiry; a second use is reuse) | expired

Lives in Valkey under one key per code; using it is one script. PostgreSQL backs the single use: the session a code
opens stores its hash under a unique index, so not even a Valkey that forgot can make a code work twice.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID

from auth_service.keys import KeyRing, digest
from auth_service.model import Account, App, Pkce, TokenForm
from runtime.errors import GatepostError, Reason
from runtime.valkey import Script, Valkey

_CODE_BYTES = {TokenForm.PAIR: 16, TokenForm.SHORT_PAIR: 16, TokenForm.SINGLE: 32}  # twice as many hex digits
_ATTEMPT_BYTES = 16
_FIRST_KEY = 1  # what the release before did not say

_ISSUE = Script("""
redis.call('HSET', KEYS[1], 'app', ARGV[1], 'data', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
""")
# 0: unknown, expired or of another app; 1: yours now; 2: used before. ARGV[2] names the attempt, so that a script run
# twice because its answer was lost still is one use.
_USE = Script("""
local v = redis.call('HMGET', KEYS[1], 'app', 'data', 'used')
if not v[1] or v[1] ~= ARGV[1] then return {0} end
if v[3] and v[3] ~= ARGV[2] then return {2} end
redis.call('HSET', KEYS[1], 'used', ARGV[2])
return {1, v[2]}
""")
_RELEASE = Script("""
redis.call('HDEL', KEYS[1], 'used')
return 1
""")


@dataclass(frozen=True, slots=True)
class CodeData:
    """What a code stands for."""

    account_id: UUID
    security_version: int
    scopes: tuple[str, ...]
    pkce: Pkce | None
    authenticated_at: datetime
    grant_id: UUID | None
    redirect_url: str = ""
    key_id: int = _FIRST_KEY


class Codes:
    """Issues and uses codes.

    Args:
        valkey: Where they live.
        keys: A code ends when the key is revoked that tokens were made with when it was issued.
        seconds: Their lifetime.
    """

    def __init__(self, valkey: Valkey, keys: KeyRing, seconds: int) -> None:
        self._valkey = valkey
        self._keys = keys
        self._milliseconds = seconds * 1000

    @property
    def key_id(self) -> int:
        """The key that codes are made with now; whoever takes it before a check issues nothing that outlives it."""
        return self._keys.active_id

    async def issue(
        self,
        account: Account,
        app: App,
        pkce: Pkce | None,
        authenticated_at: datetime,
        scopes: tuple[str, ...] = (),
        grant_id: UUID | None = None,
        *,
        form: TokenForm = TokenForm.PAIR,
        redirect_url: str = "",
        key_id: int = 0,
    ) -> str:
        """Return a new code for an app: 64 lower-case hex digits for SINGLE, else 32.

        Args:
            account: Whom it stands for.
            app: Who may exchange it.
            pkce: What its verifier must prove.
            authenticated_at: When the person proved who he is.
            scopes: What its tokens will be good for.
            grant_id: On the strength of which grant; it is good while that lives.
            form: What it is exchanged for; one that apps can have.
            redirect_url: Where it is sent to; empty for none.
            key_id: The key that it ends with; 0 for the one in use.
        """
        code = secrets.token_hex(_CODE_BYTES[form])
        data = {
            "account_id": str(account.id),
            "security_version": account.security_version,
            "scopes": scopes,
            "pkce": asdict(pkce) if pkce else None,
            "authenticated_at": authenticated_at.timestamp(),
            "grant_id": str(grant_id) if grant_id else None,
            "redirect_url": redirect_url,
            "key_id": key_id or self._keys.active_id,
        }
        await self._valkey.run(_ISSUE, _key(digest(code)), _holder(app, form), json.dumps(data), self._milliseconds)
        return code

    async def use(self, code: str, app: App, form: TokenForm = TokenForm.PAIR) -> CodeData | None:
        """Use a code up; at most one caller gets its data. None means it was used before.

        Raises:
            GatepostError: CODE_INVALID if it is unknown, expired, or another app's or for another form (which leaves
                it usable as it is meant).
        """
        attempt = secrets.token_bytes(_ATTEMPT_BYTES)
        status, *rest = await self._valkey.run(_USE, _key(digest(code)), _holder(app, form), attempt)
        if status == 0:
            raise GatepostError(Reason.CODE_INVALID)
        if not rest:
            return None
        data = json.loads(rest[0])
        return CodeData(
            account_id=UUID(data["account_id"]),
            security_version=data["security_version"],
            scopes=tuple(data["scopes"]),
            pkce=Pkce(**data["pkce"]) if data["pkce"] else None,
            authenticated_at=datetime.fromtimestamp(data["authenticated_at"], tz=UTC),
            grant_id=UUID(data["grant_id"]) if data["grant_id"] else None,
            redirect_url=data.get("redirect_url", ""),  # absent in codes of the release before, as the next
            key_id=data.get("key_id", _FIRST_KEY),
        )

    async def release(self, code: str) -> None:
        """Make a used code usable again, because no session could be stored for it."""
        await self._valkey.run(_RELEASE, _key(digest(code)))


def _holder(app: App, form: TokenForm) -> str:
    """Name who may use a code for what; for a pair as the release before did."""
    return str(app.id) if form is TokenForm.PAIR else f"{app.id}/{form}"


def _key(code_hash: bytes) -> str:
    return f"gatepost:{{code:{code_hash.hex()}}}"

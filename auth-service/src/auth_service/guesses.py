"""How often a password may be guessed: growing waits for whom it is about, windows for where it comes from.

    whom it is about (account, unknown login, known device, session)   n wrong in a row, the end of the wait
    where it comes from (client address, app)                          n wrong in a window; see `limits`

Called by `sign_in` and `reauthentication`: `check` before a password is verified, `wrong` or `right` after. What these
refuse is not to be told: of guesses made at the same time no more get an answer than of guesses made one by one. The
state of whom is one key, and each step one script on it. Whose password it is does not matter here: a login that
nobody has is counted like an account. The last wrong one locks the password in PostgreSQL too. See ADR 16.
"""

from asyncio import gather
from dataclasses import dataclass, replace
from uuid import UUID

from auth_service.audit import Audit
from auth_service.keys import digest
from auth_service.limits import Limit, Limiter, Window, refuse
from auth_service.model import Account
from auth_service.store import accounts, audit
from auth_service.store.accounts import StoredPassword
from auth_service.store.audit import Event
from runtime.clock import Clock
from runtime.errors import Reason
from runtime.postgres import Database
from runtime.valkey import Script, Valkey

PER_ADDRESS, PER_APP = "sign-in-address", "sign-in-app"  # names of limits
THROTTLED, LOCKED, UNLOCKED = "account.throttle", "account.lock", "account.unlock"
DEVICE_LOCKED, SPRAYED = "device.lock", "address.spray"
_FULL = {PER_ADDRESS: "address.throttle", PER_APP: "app.throttle"}
_SPRAYED_BYTES = 8
_NOBODY = UUID(int=0)

# Fields: n, the wrong ones in a row, and wait, when the next may be tried, in milliseconds since 1970.
_LOOK = """
local v = redis.call('HMGET', KEYS[1], 'n', 'wait')
local n, wait = tonumber(v[1] or 0), tonumber(v[2] or 0) - tonumber(ARGV[1])
if n >= tonumber(ARGV[2]) then return {tonumber(ARGV[3]), n} end
if wait > 0 then return {wait, n} end
"""
_CHECK = Script(f"{_LOOK} return {{0, n}}")
_WRONG = Script(f"""{_LOOK}
n = redis.call('HINCRBY', KEYS[1], 'n', 1)
local over = n - tonumber(ARGV[4])
if over >= 0 then
  wait = math.min(tonumber(ARGV[5]) * 2 ^ over, tonumber(ARGV[3]))
  redis.call('HSET', KEYS[1], 'wait', string.format('%.0f', tonumber(ARGV[1]) + wait))
end
redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[6]) * n / tonumber(ARGV[2])))
return {{0, n}}
""")
_RIGHT = Script(f"{_LOOK} redis.call('DEL', KEYS[1]) return {{0, 0}}")
_FORGET = Script("return redis.call('DEL', KEYS[1])")
# 1 for the one that makes it so many.
_SPRAY = Script("""
local n = redis.call('SCARD', KEYS[1])
if n >= tonumber(ARGV[2]) or redis.call('SADD', KEYS[1], ARGV[1]) == 0 then return 0 end
if n == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return n + 1 == tonumber(ARGV[2]) and 1 or 0
""")


@dataclass(frozen=True, slots=True)
class Patience:
    """How wrong passwords in a row are answered (NIST SP 800-63B-4 section 3.2.2).

    Args:
        free: So many cost no wait but the last, after which the next one must wait.
        first_wait_seconds: That wait; each further wrong one doubles it.
        longest_wait_seconds: It grows no longer.
        most: After so many none is tried any more.
        kept_seconds: How long so many are remembered after the last one. Fewer are for less long in proportion, which
            lets nobody guess faster, and nobody fill Valkey by trying logins once.
    """

    free: int
    first_wait_seconds: float
    longest_wait_seconds: float
    most: int
    kept_seconds: int


@dataclass(frozen=True, slots=True)
class Guess:
    """A password that somebody offers.

    Args:
        whom: What wrong ones count for; see `of_account`, `of_login`, `of_device`, `of_session`.
        windows: What they count against besides.
        about: The account behind a device or a session, which a right one clears too.
        address: From where it is watched whether many are tried with few passwords; empty for not at all.
    """

    whom: str
    windows: tuple[Window, ...] = ()
    about: str = ""
    address: str = ""


class Guesses:
    """Counts them. `check`, `right` and `wrong` raise RATE_LIMITED with the time to wait; all can raise UNAVAILABLE.

    Args:
        valkey: Where they are counted.
        database: Where passwords are locked.
        limiter: Counts them by where they come from.
        audit: Is told of what looks like an attack.
        clock: For the waits.
        patience: What wrong ones in a row lead to.
        sprayed: So many accounts guessed at from one address in a window look like an attack.
    """

    def __init__(
        self,
        *,
        valkey: Valkey,
        database: Database,
        limiter: Limiter,
        audit: Audit,
        clock: Clock,
        patience: Patience,
        sprayed: Limit,
    ) -> None:
        self._valkey = valkey
        self._database = database
        self._limiter = limiter
        self._audit = audit
        self._clock = clock
        self._patience = patience
        self._sprayed = sprayed

    async def check(self, guess: Guess) -> None:
        """Go on if a guess may be tried now; counts nothing."""
        await gather(self._run(_CHECK, guess.whom), self._limiter.check(*guess.windows))

    async def right(self, guess: Guess, account: Account, stored: StoredPassword) -> None:
        """Forget the wrong ones, unless by now this one may not be tried any more; takes a lock back."""
        await self._limiter.check(*guess.windows)
        await self._run(_RIGHT, guess.whom)
        if guess.about:
            await self._forget(guess.about)
        if stored.locked:
            async with self._database.transaction() as connection:
                await accounts.unlock_password(connection, account.id)
                await self._audit.record(connection, UNLOCKED, account=account)

    async def wrong(self, guess: Guess, event: Event) -> None:
        """Count one, unless by now it may not be tried any more, and record it with what it is a sign of.

        That is, once each: `account.throttle` for the first that makes others wait, `account.lock` (`device.lock` of a
        known device or a session) for the last that is tried, `address.throttle` and `app.throttle` for the last in a
        window, `address.spray`.

        Args:
            guess: As it was checked.
            event: The failure.
        """
        counts = await self._limiter.count_failures(*guess.windows)
        number = await self._run(
            _WRONG,
            guess.whom,
            self._patience.free,
            _milliseconds(self._patience.first_wait_seconds),
            self._patience.kept_seconds * 1000,
        )
        signs = [
            _FULL[limit.name] for (limit, _), count in zip(guess.windows, counts, strict=True) if count == limit.count
        ]
        if number == self._patience.free:
            signs.append(THROTTLED)
        if number >= self._patience.most:
            signs.append(DEVICE_LOCKED if guess.about else LOCKED)
        if guess.address and await self._is_spraying(guess):
            signs.append(SPRAYED)
        await self._record(event, signs)

    async def _record(self, event: Event, signs: list[str]) -> None:
        if not signs:
            async with self._database.acquire() as connection:
                await audit.insert(connection, event)
            return
        told = [replace(event, action=sign, outcome=Reason.RATE_LIMITED.value) for sign in signs]
        async with self._database.transaction() as connection:
            if LOCKED in signs:  # the same work where nobody's password is locked
                await accounts.lock_password(connection, event.account_id or _NOBODY, self._clock.now())
            await audit.insert_many(connection, [event, *told])

    async def forget(self, account_id: UUID) -> None:
        """Forget the wrong ones of an account, because it has another password or an operator says so."""
        await self._forget(of_account(account_id))

    async def _forget(self, whom: str) -> None:
        await self._valkey.run(_FORGET, _key(whom))

    async def _run(self, script: Script, whom: str, *args: int) -> int:
        now = int(self._clock.now().timestamp() * 1000)
        longest = _milliseconds(self._patience.longest_wait_seconds)
        wait, number = await self._valkey.run(script, _key(whom), now, self._patience.most, longest, *args)
        refuse(wait)
        return int(number)

    async def _is_spraying(self, guess: Guess) -> bool:
        key = f"gatepost:{{spray:{digest(guess.address).hex()[:32]}}}"
        member = digest(guess.whom)[:_SPRAYED_BYTES]
        window = self._sprayed.window_seconds * 1000
        return bool(await self._valkey.run(_SPRAY, key, member, self._sprayed.count, window))


def of_account(account_id: UUID) -> str:
    """Name an account: by whichever of its names somebody signs in, its wrong passwords count together."""
    return f"account:{account_id}"


def of_login(project_id: UUID, normalized: str) -> str:
    """Name a login that nobody has."""
    return f"login:{project_id}:{normalized}"


def of_device(device: str) -> str:
    """Name a device that somebody has signed in on before; see `known_devices`."""
    return f"device:{device}"


def of_session(session_id: UUID) -> str:
    """Name a session whose user proves himself once more."""
    return f"session:{session_id}"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _key(whom: str) -> str:
    return f"gatepost:{{guesses:{digest(whom).hex()[:32]}}}"

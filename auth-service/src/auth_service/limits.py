"""Rate windows in Valkey: how often something may happen to a subject. Atomic across instances, one key a window.

`guesses` adds what only wrong passwords have: waits that grow.
"""

from asyncio import gather
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from auth_service.keys import digest
from auth_service.model import App
from runtime.context import current
from runtime.errors import GatepostError, Reason
from runtime.networks import client_of
from runtime.valkey import Script, Valkey

# Count one if there is room; answers 0 or the milliseconds until there is.
_TAKE = Script("""
local n = tonumber(redis.call('GET', KEYS[1]) or 0)
if n >= tonumber(ARGV[1]) then return math.max(redis.call('PTTL', KEYS[1]), 1) end
if redis.call('INCR', KEYS[1]) == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
""")
_GIVE_BACK = Script("""
local n = tonumber(redis.call('GET', KEYS[1]) or 0)
if n > 1 then redis.call('DECR', KEYS[1]) elseif n == 1 then redis.call('DEL', KEYS[1]) end
return 0
""")
_WAIT = Script("""
local n = tonumber(redis.call('GET', KEYS[1]) or 0)
if n >= tonumber(ARGV[1]) then return math.max(redis.call('PTTL', KEYS[1]), 1) end
return 0
""")
# {0 or, if there was no room, the milliseconds until there is, which it is}.
_COUNT = Script("""
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if n > tonumber(ARGV[1]) then return {math.max(redis.call('PTTL', KEYS[1]), 1), n} end
return {0, n}
""")


@dataclass(frozen=True, slots=True)
class Limit:
    """So many times in a window.

    Args:
        name: Part of the key.
        count: How often.
        window_seconds: How long the window is, from its first event.
    """

    name: str
    count: int
    window_seconds: int


Window = tuple[Limit, str]


@dataclass(frozen=True, slots=True)
class Mails:
    """How many codes are mailed for people at the door.

    Args:
        per_account: To one address and for one purpose, whether or not it has an account. Links to reset a password are
            one, codes to do so another.
        per_client: Asked for by one client address.
        per_app: Asked for by one app.
    """

    per_account: Limit
    per_client: Limit
    per_app: Limit

    def windows(self, subject: str, app: App | None) -> list[Window]:
        """Return what a code counts against that the call at hand asks for, with an app or without."""
        return [(self.per_account, subject), *from_where(self.per_client, self.per_app, app)]


class Limiter:
    """Applies limits. Every method raises RATE_LIMITED with the time to wait once a limit is reached.

    Args:
        valkey: Where the windows live.
    """

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    async def take(self, *windows: Window) -> None:
        """Count one event against each of these limits of subjects; against none if one has no room for it."""
        waits = await gather(
            *(
                self._valkey.run(_TAKE, _key(limit, subject), limit.count, limit.window_seconds * 1000)
                for limit, subject in windows
            )
        )
        if any(waits):
            taken = (window for window, wait in zip(windows, waits, strict=True) if not wait)
            await gather(*(self._valkey.run(_GIVE_BACK, _key(limit, subject)) for limit, subject in taken))
        refuse(max(waits))

    async def check(self, *windows: Window) -> None:
        """Refuse if one of these limits of subjects is reached, for the longest wait; count nothing."""
        waits = await gather(
            *(self._valkey.run(_WAIT, _key(limit, subject), limit.count) for limit, subject in windows)
        )
        refuse(max(waits, default=0))

    async def count_failures(self, *windows: Window) -> list[int]:
        """Count one failure against each of these limits of subjects, refused if one was reached before.

        Returns how many there are of each by now.
        """
        answers = await gather(
            *(
                self._valkey.run(_COUNT, _key(limit, subject), limit.count, limit.window_seconds * 1000)
                for limit, subject in windows
            )
        )
        refuse(max((wait for wait, _ in answers), default=0))
        return [number for _, number in answers]


def from_where(per_client: Limit, per_app: Limit, app: App | None) -> list[Window]:
    """Return what the call at hand counts against by where it comes from: its client's address, and its app if any."""
    return [
        (per_client, of_address(current().client_address)),
        *([(per_app, str(app.id))] if app else []),
    ]


def of_address(address: str) -> str:
    """Return what limits count a client address as: an IPv6 client has a whole /64 to call from, so that is one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address) or parsed.ipv4_mapped:
        return address
    return client_of(parsed)


def refuse(milliseconds: int) -> None:
    """Raise RATE_LIMITED if there is a time to wait."""
    if milliseconds > 0:
        raise GatepostError(Reason.RATE_LIMITED, "too many attempts", retry_after_seconds=milliseconds / 1000)


def _key(limit: Limit, subject: str) -> str:
    return f"gatepost:{{limit:{limit.name}:{digest(subject).hex()[:32]}}}"

"""Rate windows in Valkey: how often something may happen to a subject. Atomic across instances, one key a window."""

from asyncio import gather
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address

from auth_service.keys import digest
from runtime.errors import GatepostError, Reason
from runtime.valkey import Script, Valkey

# Count one if there is room; answers 0 or the milliseconds until there is.
_TAKE = Script("""
local n = tonumber(redis.call('GET', KEYS[1]) or 0)
if n >= tonumber(ARGV[1]) then return math.max(redis.call('PTTL', KEYS[1]), 1) end
if redis.call('INCR', KEYS[1]) == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
""")
_WAIT = Script("""
local n = tonumber(redis.call('GET', KEYS[1]) or 0)
if n >= tonumber(ARGV[1]) then return math.max(redis.call('PTTL', KEYS[1]), 1) end
return 0
""")
_COUNT = Script("""
if redis.call('INCR', KEYS[1]) == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 0
""")
# Forget the failures, unless by now there are too many: guesses made in parallel gain nothing.
_CLEAR = Script("""
local n = tonumber(redis.call('GET', KEYS[1]) or 0)
if n >= tonumber(ARGV[1]) then return math.max(redis.call('PTTL', KEYS[1]), 1) end
if n > 0 then redis.call('DEL', KEYS[1]) end
return 0
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


class Limiter:
    """Applies limits. Every method raises RATE_LIMITED with the time to wait once a limit is reached.

    Args:
        valkey: Where the windows live.
    """

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    async def take(self, limit: Limit, subject: str) -> None:
        """Count one event, refused if there is no room for it."""
        _refuse(await self._valkey.run(_TAKE, _key(limit, subject), limit.count, limit.window_seconds * 1000))

    async def check(self, limit: Limit, subject: str) -> None:
        """Refuse if the limit is reached; count nothing."""
        _refuse(await self._valkey.run(_WAIT, _key(limit, subject), limit.count))

    async def check_all(self, *windows: tuple[Limit, str]) -> None:
        """Refuse if one of these limits of subjects is reached, for the longest wait; count nothing."""
        waits = (self._valkey.run(_WAIT, _key(limit, subject), limit.count) for limit, subject in windows)
        _refuse(max(await gather(*waits)))

    async def count_failure(self, limit: Limit, subject: str) -> None:
        """Count one failure; never refuses."""
        await self.count_failures((limit, subject))

    async def count_failures(self, *windows: tuple[Limit, str]) -> None:
        """Count one failure against each of these limits of subjects; never refuses."""
        await gather(
            *(self._valkey.run(_COUNT, _key(limit, subject), limit.window_seconds * 1000) for limit, subject in windows)
        )

    async def clear(self, limit: Limit, subject: str) -> None:
        """Forget the failures after a success, which is refused if the limit was reached meanwhile."""
        _refuse(await self._valkey.run(_CLEAR, _key(limit, subject), limit.count))


def of_address(address: str) -> str:
    """Return what limits count a client address as: an IPv6 client has a whole /64 to call from, so that is one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address) or parsed.ipv4_mapped:
        return address
    return str(IPv6Network((int(parsed) >> 64 << 64, 64)))


def _refuse(milliseconds: int) -> None:
    if milliseconds > 0:
        raise GatepostError(Reason.RATE_LIMITED, "too many attempts", retry_after_seconds=milliseconds / 1000)


def _key(limit: Limit, subject: str) -> str:
    return f"gatepost:{{limit:{limit.name}:{digest(subject).hex()[:32]}}}"

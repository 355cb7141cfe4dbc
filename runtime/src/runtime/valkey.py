"""Valkey or Redis, single server, Sentinel or Cluster, behind two calls whose failures are GatepostErrors.

Every script touches one key, so everything works unchanged on a Cluster. What is asked for at the same time goes to a
server in one pipeline: 53 µs of our CPU for a command alone, 17 of sixteen together, 10 of sixty-four.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ConstantBackoff, NoBackoff
from redis.exceptions import ClusterError, NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException as NoClusterError
from redis.exceptions import TimeoutError as RedisTimeoutError

from runtime.coalescing import Coalesced
from runtime.costs import spend
from runtime.errors import GatepostError, Reason
from runtime.logs import get_logger

_DEFAULT_SENTINEL_PORT = 26379
_WHOLE = 1.5
_SENTINEL_SHARE = 0.2  # of a command's time that one Sentinel gets, so that there is some left when a few are away
_SPARE_CONNECTIONS = 2  # for `ready`, which does not queue
_PIPELINES = 4  # under way at once; a command that has just missed one need not wait for its end
_Command = tuple[str | bytes | int, ...]
LOST = (
    RedisConnectionError,
    RedisTimeoutError,
    NoClusterError,
    ClusterError,
    ReadOnlyError,  # a primary that became a replica
    OutOfMemoryError,
    TryAgainError,
    OSError,
)
_RESET = "the handler is closed"  # uvloop says so, in a RuntimeError, of what the other side has just reset


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script of one key, called by its SHA-1 and sent whole only where it is not known yet."""

    source: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest())


class Valkey:
    """A connection pool to a server, a Sentinel group or a Cluster.

    Args:
        client: The redis-py client that fits.
        max_commands: Most commands under way; further ones wait.
        timeout_seconds: For connecting and for each attempt; a command gets half as much again, waiting included.
        together: Most commands of a pipeline; 1 means none. A Cluster has none: each of its nodes would need its own.
    """

    def __init__(
        self, client: "Redis | RedisCluster", max_commands: int, timeout_seconds: float, together: int = 1
    ) -> None:
        self._client: Any = client
        self._room = asyncio.Semaphore(max_commands)
        self._timeout = timeout_seconds
        pipelined = together > 1 and not isinstance(client, RedisCluster)
        self._send: Callable[[_Command], Awaitable[Any]] = (
            Coalesced(self._pipeline, most=together, at_once=min(_PIPELINES, max_commands))
            if pipelined
            else self._alone
        )

    @classmethod
    def connect(
        cls, url: str, *, timeout_seconds: float = 1.0, max_connections: int = 64, together: int = 1
    ) -> "Valkey":
        """Make the client for a URL; nothing is opened before the first command.

        Args:
            url: `redis://`, `rediss://`, `unix://`, `redis+cluster://`, `rediss+cluster://` or
                `redis[s]+sentinel://[user:password@]host[:port][,host[:port]…]/service[?db=n]`.
            timeout_seconds: For connecting and for each command.
            max_connections: Most connections open at once.
            together: Most commands that go in one pipeline.

        Raises:
            ValueError: The URL cannot be read. Nothing of it is shown: it may hold a password.
        """
        options: dict[str, Any] = {
            "socket_timeout": timeout_seconds,
            "socket_connect_timeout": timeout_seconds,
            "max_connections": max_connections + _SPARE_CONNECTIONS,
        }
        try:
            client = _client(url, options)
        except ValueError:
            client = None
        if client is None:
            raise ValueError(
                "the Valkey URL cannot be read: it begins with redis://, rediss://, unix://, redis+cluster:// or "
                "redis+sentinel://, and special characters of its password are written as %XX"
            )
        return cls(client, max_connections, timeout_seconds, together)

    async def run(self, script: Script, key: str, *args: str | bytes | int) -> Any:
        """Run a one-key script atomically and return its answer (bytes, int, list or None).

        Raises:
            GatepostError: UNAVAILABLE when the server cannot be reached in time.
        """
        try:
            return await self._execute("EVALSHA", script.sha, 1, key, *args)
        except NoScriptError:
            return await self._execute("EVAL", script.source, 1, key, *args)

    async def command(self, *args: str | bytes | int) -> Any:
        """Run one command on one key and return its answer.

        Raises:
            GatepostError: UNAVAILABLE when the server cannot be reached in time.
        """
        return await self._execute(*args)

    async def ready(self) -> bool:
        """Say whether commands can be run now."""
        try:
            await self._client.ping()
        except (RedisError, NoClusterError, OSError, RuntimeError):
            return False
        return True

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _execute(self, *command: str | bytes | int) -> Any:
        spend("valkey")
        try:
            async with asyncio.timeout(_WHOLE * self._timeout):
                return await self._send(command)
        except (*LOST, RuntimeError) as exc:
            if _is_away(exc):
                raise _unavailable(exc) from exc
            raise

    async def _alone(self, command: _Command) -> Any:
        async with self._room:
            asking = asyncio.ensure_future(self._client.execute_command(*command))
            asking.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to hear
            try:
                return await asyncio.shield(asking)
            finally:
                asking.cancel()  # not waited for: a client that is connecting does not always heed it

    async def _pipeline(self, commands: Sequence[_Command]) -> Sequence[Any]:
        """Return each command's answer or error. What the connection met is everybody's: nothing is sent once more.

        Raises:
            GatepostError: UNAVAILABLE when the server is away, which those who wait for their turn are told too.
        """
        try:
            if len(commands) == 1:
                return [await self._client.execute_command(*commands[0])]
            pipeline = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError, RuntimeError) as exc:
            if _is_away(exc):
                raise _unavailable(exc) from exc
            return [exc] * len(commands)
        return answers


def _client(url: str, options: dict[str, Any]) -> "Redis | RedisCluster | None":
    # One more try where a connection broke; every script can be repeated. Not after a timeout: that would double it.
    retry = Retry(ConstantBackoff(0.01), 1, (RedisConnectionError,))
    match url.partition("://")[0]:
        case "redis" | "rediss" | "unix":
            return Redis.from_url(url, retry=retry, **options)
        case "redis+cluster" | "rediss+cluster":
            return RedisCluster.from_url(url.replace("+cluster", "", 1), **options)
        case "redis+sentinel" | "rediss+sentinel":
            return _through_sentinel(url, options | {"retry": retry})
        case _:
            return None


def _through_sentinel(url: str, options: dict[str, Any]) -> Redis:
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    addresses = []
    for host in hosts.split(","):
        name, _, port = host.partition(":")
        addresses.append((name, int(port or _DEFAULT_SENTINEL_PORT)))
    query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    # They are asked one after the other. By itself the client would ask one that is away ten times before the next.
    asking = {"socket_timeout": options["socket_timeout"] * _SENTINEL_SHARE, "retry": Retry(NoBackoff(), 0)}
    sentinel = Sentinel(addresses, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    master: Redis = sentinel.master_for(
        parts.path.strip("/"),
        connection_pool_class=_SentinelPool,
        username=unquote(user) or None,
        password=unquote(password) or None,
        db=int(query.get("db", "0")),
        ssl=url.startswith("rediss"),
        **options,
    )
    return master


class _SentinelPool(SentinelConnectionPool):
    """Connections to whichever server is the primary, and those to the Sentinels that know it."""

    async def aclose(self) -> None:
        """Close all."""
        await super().aclose()
        await self.sentinel_manager.aclose()


def _is_away(exc: BaseException) -> bool:
    return isinstance(exc, LOST) or (isinstance(exc, RuntimeError) and _RESET in str(exc))


def _unavailable(exc: BaseException) -> GatepostError:
    get_logger().warning("valkey unavailable", error=type(exc).__name__)
    return GatepostError(Reason.UNAVAILABLE, "short-lived storage is unavailable", retry_after_seconds=1)

"""Asking a process whether it is ready, the way its users would.

The supervisor polls these while things start, `gatepost status` asks once. Plain sockets, because they are asked
every few milliseconds before anything else could be imported. A probe answers False for every kind of failure; it
never raises.
"""

import asyncio
from urllib.parse import unquote, urlsplit

ANSWER_SECONDS = 2.0


async def http_ready(metrics: str) -> bool:
    """Tell whether `GET <metrics>/readyz` answers 200."""
    parts = urlsplit(metrics)
    request = f"GET /readyz HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            connection = await asyncio.open_connection(parts.hostname, parts.port)
            answer = await _exchange(connection, request, lines=1)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return False
    return answer.split(b" ", 2)[1:2] == [b"200"]


async def valkey_ready(url: str) -> bool:
    """Tell whether the server of a `unix://:password@/path` URL accepts the password and answers PING."""
    parts = urlsplit(url)
    # RESP arrays: passwords may hold any byte (https://valkey.io/topics/protocol).
    password = unquote(parts.password or "")
    request = f"*2\r\n$4\r\nAUTH\r\n${len(password.encode())}\r\n{password}\r\n*1\r\n$4\r\nPING\r\n"
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            connection = await asyncio.open_unix_connection(unquote(parts.path))
            answer = await _exchange(connection, request, lines=2)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return False
    return answer == b"+OK\r\n+PONG\r\n"


async def postgres_ready(dsn: str) -> bool:
    """Tell whether a connection with this DSN answers a query."""
    import asyncpg  # noqa: PLC0415  a tenth of a second, and only `status` needs it

    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            connection = await asyncpg.connect(dsn)
            try:
                return bool(await connection.fetchval("SELECT 1") == 1)
            finally:
                connection.terminate()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


async def _exchange(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: str, *, lines: int
) -> bytes:
    reader, writer = connection
    try:
        writer.write(request.encode())
        return b"".join([await reader.readuntil(b"\r\n") for _ in range(lines)])
    finally:
        writer.close()

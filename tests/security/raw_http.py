"""HTTP by hand, for what no client would send: bytes go out, bytes come back, and the clock is watched."""

import asyncio
import http.client
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Self

PATIENCE_SECONDS = 3.0


@dataclass(frozen=True)
class Heard:
    """What came back on one connection.

    Args:
        raw: All of it.
        closed: Whether the other end closed the connection within our patience.
        seconds: How long that took.
    """

    raw: bytes
    closed: bool
    seconds: float

    @property
    def statuses(self) -> list[int]:
        """The status of each answer."""
        return [int(each[:3]) for each in self.raw.split(b"HTTP/1.1 ")[1:]] or [
            int(each[:3]) for each in self.raw.split(b"HTTP/1.0 ")[1:]
        ]

    @property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


async def say(port: int, *pieces: bytes, patience: float = PATIENCE_SECONDS) -> Heard:
    """Send bytes, read until the other end closes or our patience ends."""
    began = monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = bytearray()
    closed = False

    async def listen() -> None:
        nonlocal closed
        with suppress(ConnectionError):
            while piece := await reader.read(65_536):
                heard.extend(piece)
        closed = True

    listening = asyncio.create_task(listen())
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                with suppress(ConnectionError):
                    for piece in pieces:
                        writer.write(piece)
                        await writer.drain()
                await asyncio.shield(listening)
    finally:
        listening.cancel()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return Heard(bytes(heard), closed, monotonic() - began)


def post(path: str, body: bytes, content_type: str = "application/json", *headers: str) -> bytes:
    """Make an honest request with a body, of a connection that ends with it."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: gatepost.example",
        "Connection: close",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def get(path: str, *headers: str) -> bytes:
    """Make an honest request without body, of a connection that ends with it."""
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *headers)).encode() + b"\r\n\r\n"


def resident_bytes(pid: int) -> int:
    """Return the memory that a process takes."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096


class Pulse:
    """Asks `/healthz` again and again from a thread of its own, and keeps how long each answer took."""

    def __init__(self, port: int) -> None:
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def assert_steady(self, most_seconds: float = 0.1) -> None:
        """Assert that every question was answered, and in time but for one in twenty: the machine is busy."""
        assert not self.failures, self.failures[:3]
        ordered = sorted(self.seconds)
        assert ordered
        assert ordered[int(0.95 * (len(ordered) - 1))] < most_seconds, ordered[-5:]
        assert ordered[-1] < 20 * most_seconds, ordered[-5:]

    def _run(self) -> None:
        while not self._stop.is_set():
            began = monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
            try:
                connection.request("GET", "/healthz")
                status = connection.getresponse().status
                if status != 200:
                    self.failures.append(str(status))
            except OSError as exc:
                self.failures.append(repr(exc))
            finally:
                connection.close()
            self.seconds.append(monotonic() - began)
            sleep(0.02)

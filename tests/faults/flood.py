"""A cheap HTTP client that floods a gateway, in a process of its own so that no test's event loop slows it.

`python tests/faults/flood.py PLAN OUTCOME` reads a plan and writes an `Outcome` for each of its streams, as JSON files.
A stream with a rate is open-loop: requests are sent when they are due, however many are unanswered, and their time
counts from then. One without is closed-loop: each connection sends the next request when it has its answer.
"""

import asyncio
import json
import sys
from collections import deque
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from time import monotonic
from typing import Any

import uvloop

_TICK_SECONDS = 0.002
_GRACE_SECONDS = 10.0
_OK = 200


@dataclass(frozen=True)
class Stream:
    """One kind of request.

    Attributes:
        name: for the outcome.
        requests: whole HTTP/1.1 requests, sent in turn.
        connections: that are opened beforehand; who finds none free is not sent, and counted.
        rate: requests a second; 0 for a closed loop.
    """

    name: str
    requests: list[str]
    connections: int
    rate: float = 0.0


@dataclass
class Outcome:
    """What came of a stream.

    Attributes:
        statuses: answers by status.
        unsent: requests for which no connection was free.
        lost: requests without an answer. A connection that nothing was asked on may be closed after a while.
        bare: refusals (503) without Retry-After.
        ok_seconds: how long each 200 took.
        refused_seconds: how long each 503 took.
    """

    statuses: dict[int, int] = field(default_factory=dict)
    unsent: int = 0
    lost: int = 0
    bare: int = 0
    ok_seconds: list[float] = field(default_factory=list)
    refused_seconds: list[float] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    def __init__(self, sender: "_Sender") -> None:
        self._sender = sender
        self._transport: Any = None
        self._buffer = b""
        self._due = 0.0
        self.waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self._sender.broken(self)

    def send(self, request: bytes, due: float) -> None:
        self._due, self.waiting = due, True
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lowered = head.lower()
        length = int(lowered.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if len(rest) >= length:
            self._buffer = b""
            self.waiting = False
            took = monotonic() - self._due
            self._sender.answered(self, int(head[9:12]), took, hinted=b"\r\nretry-after:" in lowered)


class _Sender:
    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.outcome = Outcome()
        self._requests = cycle([request.encode() for request in stream.requests])
        self._all: list[_Connection] = []
        self._free: deque[_Connection] = deque()  # who has been idle for longest is next, so that none looks forgotten
        self._until = 0.0

    async def open(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self.stream.connections):
            _, connection = await loop.create_connection(lambda: _Connection(self), host, port)
            self._all.append(connection)
        self._free.extend(self._all)

    async def run(self, seconds: float) -> None:
        began = monotonic()
        self._until = began + seconds
        if not self.stream.rate:
            while self._free:
                self._send(began)
            await asyncio.sleep(seconds)
        else:
            sent = 0
            while (now := monotonic()) < self._until:
                while sent < (now - began) * self.stream.rate:
                    self._send(began + sent / self.stream.rate)
                    sent += 1
                await asyncio.sleep(_TICK_SECONDS)
        while monotonic() < self._until + _GRACE_SECONDS and any(each.waiting for each in self._all):  # noqa: ASYNC110
            await asyncio.sleep(_TICK_SECONDS)
        self.outcome.lost += sum(each.waiting for each in self._all)
        ended, self._all = self._all, []
        for each in ended:
            each.close()

    def answered(self, connection: _Connection, status: int, took: float, *, hinted: bool) -> None:
        outcome = self.outcome
        outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
        if status == _OK:
            outcome.ok_seconds.append(took)
        else:
            outcome.refused_seconds.append(took)
            outcome.bare += not hinted
        self._free.append(connection)
        if not self.stream.rate and monotonic() < self._until:
            self._send(monotonic())

    def broken(self, connection: _Connection) -> None:
        if connection in self._all:
            self._all.remove(connection)
            self.outcome.lost += connection.waiting
            if connection in self._free:
                self._free.remove(connection)

    def _send(self, due: float) -> None:
        if self._free:
            self._free.popleft().send(next(self._requests), due)
        else:
            self.outcome.unsent += 1


async def _main(plan: dict[str, Any]) -> dict[str, Any]:
    senders = [_Sender(Stream(**stream)) for stream in plan["streams"]]
    for sender in senders:
        await sender.open(plan["host"], plan["port"])
    await asyncio.gather(*(sender.run(plan["seconds"]) for sender in senders))
    return {sender.stream.name: asdict(sender.outcome) for sender in senders}


if __name__ == "__main__":
    given, wanted = map(Path, sys.argv[1:])
    outcome = uvloop.run(_main(json.loads(given.read_text(encoding="utf-8"))))
    wanted.write_text(json.dumps(outcome), encoding="utf-8")

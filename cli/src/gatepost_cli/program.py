"""What a started program is: its command line, its signals, and how to tell that it is ready.

`embedded` and `supervisor.plan` make programs; `process` and `supervisor.child` run them. Nothing is started here.
"""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from gatepost_cli.account import Account


async def _nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program that is started, watched and stopped.

    Attributes:
        name: the process's name in the answer of `gatepost status`.
        index: which of several instances this is, from 0.
        argv: the command line, without secrets: every account of the machine can read it.
        module: the Python package that the command line runs with `-m`, for the fork server; empty for other programs.
        environment: the complete environment.
        address: where it listens: `host:port`, or the path of a socket.
        metrics: base URL of its metrics listener, without a trailing slash, or None.
        account: whom it runs as; None for the account that starts it.
        stop_signal: asks for an orderly stop; also sent by the kernel when the starting process dies.
        kill_signal: sent when the grace period is over.
        grace_seconds: how long an orderly stop may take.
        prepare: awaited before every start: clears what an earlier run left.
        ready: awaited until it answers True; raises CommandFailed when waiting is pointless.
        holds: what it runs, each described as the program that it would be by itself; empty when it is one thing.
    """

    name: str
    index: int = 0
    argv: tuple[str, ...]
    module: str = ""
    environment: Mapping[str, str] = field(repr=False)
    address: str
    metrics: str | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    kill_signal: signal.Signals = signal.SIGKILL
    grace_seconds: float = 10.0
    ready: Callable[[], Awaitable[bool]]
    prepare: Callable[[], Awaitable[None]] = _nothing
    holds: tuple["Program", ...] = ()

    @property
    def label(self) -> str:
        """The name before its lines and of its log: `auth-service`, `auth-service.1`."""
        return f"{self.name}.{self.index}" if self.index else self.name

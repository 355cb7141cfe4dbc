"""Choosing TCP ports, and keeping them from everybody else while our services do not listen on them.

`up` holds what it chose for as long as it runs. A port that is only looked at may be taken in the seconds before its
service listens, by another stack that chooses at the same time: then one is told ready by the other's answers. Inner
ports come from below the range from which the kernel takes the ports of outgoing connections.
"""

import errno
import secrets
import socket
import sys
from typing import Self

from gatepost_cli.errors import CommandFailed

LOWEST, HIGHEST = 20_000, 32_767
TRIES = 200
LOOPBACK = "127.0.0.1"
# Elsewhere a socket that is bound and does not listen would keep the service itself from the port.
CAN_HOLD = sys.platform == "linux"


class Ports:
    """Ports that nobody else gets before `release`, which leaving the context calls.

    Each is a socket that is bound and does not listen, and says since then that its service may share it.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def free(self, count: int) -> list[int]:
        """Return `count` different free ports of the loopback address, for one listener each.

        Raises:
            CommandFailed: there are none.
        """
        found: list[socket.socket] = []
        for _ in range(TRIES * max(count, 1)):
            if len(found) == count:
                break
            bound = _bound(LOOPBACK, LOWEST + secrets.randbelow(HIGHEST - LOWEST + 1), after_others=False)
            if isinstance(bound, socket.socket):
                self._held.append(bound)
                found.append(bound)
        else:
            raise CommandFailed(f"no free ports between {LOWEST} and {HIGHEST} on {LOOPBACK}")
        numbers = [bound.getsockname()[1] for bound in found]
        for bound in found:
            self._share(bound, socket.SO_REUSEADDR)
        return numbers

    def claim(self, host: str, port: int) -> int:
        """Return the port for the gateways, who share it: `port` if it is nobody's; a free one for port 0.

        Raises:
            CommandFailed: the port is taken, not allowed, or the host is no address of this machine.
        """
        bound = _bound(host, port, after_others=port != 0)
        if isinstance(bound, OSError):
            reason = "is in use" if bound.errno == errno.EADDRINUSE else f"cannot be used ({bound.strerror})"
            raise CommandFailed(f"port {port} on {host} {reason}; choose another with --port")
        self._held.append(bound)
        number = int(bound.getsockname()[1])
        self._share(bound, socket.SO_REUSEPORT)
        return number

    def _share(self, bound: socket.socket, how: int) -> None:
        if CAN_HOLD:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            bound.setsockopt(socket.SOL_SOCKET, how, 1)
        else:
            bound.close()

    def release(self) -> None:
        """Leave them to others."""
        while self._held:
            self._held.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.release()


def _bound(host: str, port: int, *, after_others: bool) -> socket.socket | OSError:
    """Bind, with `after_others` also where connections of a listener before us have not been forgotten yet."""
    bound = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, after_others)
        bound.bind(address)
    except OSError as error:
        if bound is not None:
            bound.close()
        return error
    return bound

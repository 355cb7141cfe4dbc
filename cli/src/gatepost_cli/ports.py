"""Choosing and checking TCP ports before anything listens on them.

`up` calls this. Inner ports come from below the range from which the kernel takes the ports of outgoing
connections, so that a service that starts again finds its port free.
"""

import errno
import secrets
import socket

from gatepost_cli.errors import CommandFailed

LOWEST, HIGHEST = 20_000, 32_767
TRIES = 200
LOOPBACK = "127.0.0.1"


def free(count: int) -> list[int]:
    """Return `count` different free ports of the loopback address.

    Raises:
        CommandFailed: there are none.
    """
    held: list[socket.socket] = []
    try:
        for _ in range(TRIES * max(count, 1)):
            if len(held) == count:
                break
            listener = _bound(LOOPBACK, LOWEST + secrets.randbelow(HIGHEST - LOWEST + 1))
            if isinstance(listener, socket.socket):
                held.append(listener)
        else:
            raise CommandFailed(f"no free ports between {LOWEST} and {HIGHEST} on {LOOPBACK}")
        return [listener.getsockname()[1] for listener in held]
    finally:
        for listener in held:
            listener.close()


def claim(host: str, port: int) -> int:
    """Return the port for the gateway: `port` if nobody listens on it; a free one for port 0.

    Raises:
        CommandFailed: the port is taken, not allowed, or the host is no address of this machine.
    """
    listener = _bound(host, port)
    if isinstance(listener, OSError):
        reason = "is in use" if listener.errno == errno.EADDRINUSE else f"cannot be used ({listener.strerror})"
        raise CommandFailed(f"port {port} on {host} {reason}; choose another with --port")
    with listener:
        return int(listener.getsockname()[1])


def _bound(host: str, port: int) -> socket.socket | OSError:
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # finished connections do not count
        listener.bind(address)
        # Two sockets may be bound so, but only one may listen.
        listener.listen()
    except OSError as error:
        if listener is not None:
            listener.close()
        return error
    return listener

"""Ports for the servers of tests: this process holds them to its end, so no other worker's server gets them."""

from gatepost_cli.ports import Ports

_HELD = Ports()


def free_ports(count: int) -> list[int]:
    """Return `count` different ports of 127.0.0.1, for one listener each at a time, or for nobody to listen on."""
    return _HELD.free(count)


def free_port() -> int:
    """Return one of them."""
    return _HELD.free(1)[0]

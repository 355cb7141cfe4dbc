"""Whom addresses count as. Asked wherever something is counted by where it comes from."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network

_HOST_BITS = 64


def client_of(address: IPv4Address | IPv6Address) -> str:
    """Return what one client is counted as: an IPv6 client has a whole /64 to call from, so that is one."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> _HOST_BITS << _HOST_BITS, _HOST_BITS)))

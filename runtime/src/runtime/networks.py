"""Networks as operators write them, and whom addresses count as. Asked where it matters whence somebody comes."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Network = IPv4Network | IPv6Network
_HOST_BITS = 64
_CLOTHES_BITS = 96


def network_of(text: str, *, strict: bool = True) -> Network:
    """Return the network that a text names; one of IPv4 addresses in IPv6 clothes is of IPv4, as the addresses are.

    Args:
        text: An address or CIDR.
        strict: Refuse bits of a host, as in 192.0.2.1/24.

    Raises:
        ValueError: It names none.
    """
    network = ip_network(text, strict=strict)
    inner = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if inner is None or network.prefixlen < _CLOTHES_BITS:
        return network
    return IPv4Network((inner, network.prefixlen - _CLOTHES_BITS))


def client_of(address: IPv4Address | IPv6Address) -> str:
    """Return what one client is counted as: an IPv6 client has a whole /64 to call from, so that is one."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> _HOST_BITS << _HOST_BITS, _HOST_BITS)))

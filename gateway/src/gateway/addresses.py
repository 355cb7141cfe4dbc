"""Whom a request comes from and what it is called: believed from the socket, and from proxies the operator trusts.

X-Forwarded-Host and the like are never read.
"""

import re
import secrets
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from multidict import MultiMapping

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REQUEST_ID_BYTES = 12
_Address = IPv4Address | IPv6Address


class Addresses:
    """Reads client address and request id.

    Args:
        trusted_proxies: Networks whose headers are believed.
    """

    def __init__(self, trusted_proxies: tuple[IPv4Network | IPv6Network, ...]) -> None:
        self._trusted = trusted_proxies

    def identify(self, peer: str, headers: MultiMapping[str]) -> tuple[str, str]:
        """Return the client's address (empty if the socket has none) and the request id.

        Args:
            peer: Address of the other end of the socket.
            headers: As received.
        """
        if not self._trusted:
            return peer, secrets.token_hex(_REQUEST_ID_BYTES)
        address = _parse(peer)
        if address is None or not self._trusts(address):
            return peer, secrets.token_hex(_REQUEST_ID_BYTES)
        hops = ",".join(headers.getall("X-Forwarded-For", ())).split(",")
        return str(self._walk(address, hops)), _request_id(headers.get("X-Request-Id", ""))

    def _walk(self, address: _Address, hops: list[str]) -> _Address:
        """Go from the nearest hop outwards while each is trusted; stop at the first that is not, or is no address."""
        for hop in reversed(hops):
            if not self._trusts(address):
                break
            outer = _parse(hop.strip())
            if outer is None:
                break
            address = outer
        return address

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


def _parse(text: str) -> _Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _request_id(given: str) -> str:
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(_REQUEST_ID_BYTES)

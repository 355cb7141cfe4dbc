"""Whom a request comes from and what it is called: believed from the socket, and from proxies the operator trusts.

X-Forwarded-Host and the like are never read.
"""

import re
import secrets
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from multidict import MultiMapping

from runtime.networks import Network, client_of

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REQUEST_ID_BYTES = 12
_REQUEST_IDS_AT_ONCE = 256
_Address = IPv4Address | IPv6Address


class Addresses:
    """Reads client address and request id.

    Args:
        trusted_proxies: Networks whose headers are believed.
    """

    def __init__(self, trusted_proxies: tuple[Network, ...]) -> None:
        self._trusted = trusted_proxies
        # Proxies are few: saves a request that comes through one 2.5 of 5.8 µs.
        self._proxy = lru_cache(maxsize=256)(self._parse_proxy)

    def identify(self, peer: str, headers: MultiMapping[str]) -> tuple[str, str]:
        """Return the client's address (empty if the socket has none) and the request id.

        Args:
            peer: Address of the other end of the socket.
            headers: As received.
        """
        if not self._trusted:
            return peer, next(_request_ids)
        proxy = self._proxy(peer)
        if proxy is None:
            return peer, next(_request_ids)
        hops = ",".join(headers.getall("X-Forwarded-For", ())).split(",")
        return str(self._walk(proxy, hops)), _request_id(headers.get("X-Request-Id", ""))

    def client(self, peer: str) -> str:
        """Return whom to count a connection for; empty for a proxy that is believed, through which many people come.

        Args:
            peer: Address of the other end of the socket.
        """
        address = _parse(peer)
        if address is None or self._trusts(address):
            return ""
        return client_of(address)

    def _walk(self, address: _Address, hops: list[str]) -> _Address:
        """Go from the nearest hop outwards while each is trusted; stop at the first that is not, or is no address."""
        for hop in reversed(hops):
            outer = _parse(hop.strip())
            if outer is None:
                break
            address = outer
            if not self._trusts(address):
                break
        return address

    def _parse_proxy(self, peer: str) -> _Address | None:
        address = _parse(peer.partition("%")[0])  # the interface of a link-local one is ours, and no matter
        return address if address is not None and self._trusts(address) else None

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


def _parse(text: str) -> _Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:  # any text at all, and of no use beyond the machine that said it
            return None
        return address.ipv4_mapped or address
    return address


def _request_id(given: str) -> str:
    return given if _REQUEST_ID.fullmatch(given) else next(_request_ids)


def _make_request_ids() -> Iterator[str]:
    """Make ids of randomness that is fetched for many: 0.2 µs each, one by one 1.5 µs."""
    length = 2 * _REQUEST_ID_BYTES
    while True:
        many = secrets.token_hex(_REQUEST_ID_BYTES * _REQUEST_IDS_AT_ONCE)
        yield from (many[at : at + length] for at in range(0, len(many), length))


_request_ids = _make_request_ids()

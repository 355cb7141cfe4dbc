"""Whom a request comes from."""

from ipaddress import ip_network

import pytest
from multidict import CIMultiDict

from gateway.addresses import Addresses

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def address(peer: str, *forwarded: str, proxies: tuple[str, ...] = ("10.0.0.0/8", "fd00::/8")) -> str:
    headers = CIMultiDict([("X-Forwarded-For", line) for line in forwarded])
    return Addresses(tuple(map(ip_network, proxies))).identify(peer, headers)[0]


def test_without_trusted_proxies_the_socket_alone_is_believed() -> None:
    assert address("10.0.0.1", "1.2.3.4", proxies=()) == "10.0.0.1"


def test_a_peer_that_is_no_proxy_is_the_client_whatever_it_says() -> None:
    assert address("8.8.8.8", "1.2.3.4") == "8.8.8.8"


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (("1.2.3.4",), "1.2.3.4"),
        (("6.6.6.6, 1.2.3.4",), "1.2.3.4"),
        (("6.6.6.6, 1.2.3.4, 10.9.9.9",), "1.2.3.4"),
        (("6.6.6.6", "1.2.3.4, 10.9.9.9"), "1.2.3.4"),
        (("10.1.1.1, 10.2.2.2",), "10.1.1.1"),
        (("2001:db8::7",), "2001:db8::7"),
        (("::ffff:1.2.3.4",), "1.2.3.4"),
        ((), "10.0.0.1"),
    ],
)
def test_hops_are_read_from_the_right_through_trusted_ones(lines: tuple[str, ...], client: str) -> None:
    assert address("10.0.0.1", *lines) == client


@pytest.mark.parametrize("line", ["", "unknown", "1.2.3.4:80", "[2001:db8::7]", "1.2.3", "evil, ", "1.2.3.4, ,"])
def test_a_malformed_hop_is_not_looked_behind(line: str) -> None:
    assert address("10.0.0.1", line) == "10.0.0.1"


def test_a_request_id_is_taken_from_a_trusted_proxy_alone() -> None:
    headers = CIMultiDict({"X-Request-Id": "from-outside.1"})
    addresses = Addresses(PROXIES)
    assert addresses.identify("10.0.0.1", headers)[1] == "from-outside.1"
    assert addresses.identify("8.8.8.8", headers)[1] != "from-outside.1"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\nb", "ä", '{"a":1}'])
def test_an_odd_request_id_is_replaced(given: str) -> None:
    headers = CIMultiDict({"X-Request-Id": given})
    assert Addresses(PROXIES).identify("10.0.0.1", headers)[1] not in {"", given}

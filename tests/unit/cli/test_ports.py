"""Choosing and checking ports, and reading which databases are the operator's own."""

import socket
from collections.abc import Iterator

import pytest

from gatepost_cli import databases, ports
from gatepost_cli.errors import CommandFailed
from gatepost_cli.ports import Ports


@pytest.fixture
def held() -> Iterator[Ports]:
    with Ports() as ports:
        yield ports


@pytest.fixture
def others() -> Iterator[Ports]:
    with Ports() as ports:
        yield ports


def listening(port: int, *, shared: bool = False) -> socket.socket:
    """Listen as our services do, or with `shared` as several gateways."""
    return socket.create_server(("127.0.0.1", port), reuse_port=shared)


def test_inner_ports_are_different_and_not_those_of_outgoing_connections(held: Ports) -> None:
    chosen = held.free(20)
    assert len(set(chosen)) == 20
    assert all(ports.LOWEST <= port <= ports.HIGHEST for port in chosen)


def test_what_is_held_is_never_another_s_though_nobody_listens_yet(
    held: Ports, others: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "HIGHEST", ports.LOWEST + 999)
    chosen = held.free(600)
    assert not set(chosen) & set(others.free(300))


def test_a_service_listens_on_a_held_port_and_again_when_it_has_ended(held: Ports) -> None:
    (port,) = held.free(1)
    for _ in range(2):
        with listening(port) as service, socket.create_connection(("127.0.0.1", port)) as caller:
            service.accept()[0].close()
            assert caller.recv(1) == b""
            with pytest.raises(OSError, match="in use"):
                listening(port)


def test_what_is_released_is_anybody_s(held: Ports, others: Ports) -> None:
    port = held.claim("127.0.0.1", 0)
    held.release()
    assert others.claim("127.0.0.1", port) == port


def test_gateways_share_a_claimed_port(held: Ports) -> None:
    port = held.claim("127.0.0.1", 0)
    with listening(port, shared=True), listening(port, shared=True):
        socket.create_connection(("127.0.0.1", port)).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_port_that_another_stack_claims_is_in_use_though_nobody_listens_yet(held: Ports, others: Ports) -> None:
    port = held.claim("127.0.0.1", 0)
    with pytest.raises(CommandFailed, match="--port"):
        others.claim("127.0.0.1", port)


def test_a_port_that_others_share_is_in_use(held: Ports) -> None:
    with listening(0, shared=True) as taken, pytest.raises(CommandFailed, match="--port"):
        held.claim("127.0.0.1", taken.getsockname()[1])


def test_a_port_whose_connections_are_not_forgotten_yet_is_free(held: Ports) -> None:
    with listening(0) as before, socket.create_connection(before.getsockname()) as caller:
        port = before.getsockname()[1]
        before.accept()[0].close()  # who closes first has its end remembered by the kernel
        assert caller.recv(1) == b""
    assert held.claim("127.0.0.1", port) == port


def test_a_host_that_is_not_ours_is_refused(held: Ports) -> None:
    with pytest.raises(CommandFailed, match="cannot be used"):
        held.claim("192.0.2.1", 8080)


def test_a_server_dsn_names_three_databases() -> None:
    found = databases.external({"GATEPOST_POSTGRES_DSN": "postgresql://u:p@h/other?ssl=require"})
    assert found == {name: f"postgresql://u:p@h/{name}?ssl=require" for name in ("auth", "users", "notify")}


def test_a_dsn_of_one_service_wins() -> None:
    found = databases.external({"GATEPOST_POSTGRES_DSN": "postgresql://h/x", "GATEPOST_AUTH_POSTGRES_DSN": "own"})
    assert found is not None
    assert found["auth"] == "own"


def test_databases_are_embedded_unless_all_are_named() -> None:
    assert databases.external({"GATEPOST_AUTH_POSTGRES_DSN": "a", "GATEPOST_USERS_POSTGRES_DSN": "u"}) is None

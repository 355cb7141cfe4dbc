"""Choosing and checking ports, and reading which databases are the operator's own."""

import socket

import pytest

from gatepost_cli import databases, ports
from gatepost_cli.errors import CommandFailed


def test_inner_ports_are_different_and_not_those_of_outgoing_connections() -> None:
    chosen = ports.free(20)
    assert len(set(chosen)) == 20
    assert all(ports.LOWEST <= port <= ports.HIGHEST for port in chosen)


def test_port_zero_claims_a_free_port() -> None:
    assert ports.claim("127.0.0.1", 0) > 0


def test_a_port_that_others_share_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken, pytest.raises(CommandFailed, match="--port"):
        ports.claim("127.0.0.1", taken.getsockname()[1])


def test_a_host_that_is_not_ours_is_refused() -> None:
    with pytest.raises(CommandFailed, match="cannot be used"):
        ports.claim("192.0.2.1", 8080)


def test_a_server_dsn_names_three_databases() -> None:
    found = databases.external({"GATEPOST_POSTGRES_DSN": "postgresql://u:p@h/other?ssl=require"})
    assert found == {name: f"postgresql://u:p@h/{name}?ssl=require" for name in ("auth", "users", "notify")}


def test_a_dsn_of_one_service_wins() -> None:
    found = databases.external({"GATEPOST_POSTGRES_DSN": "postgresql://h/x", "GATEPOST_AUTH_POSTGRES_DSN": "own"})
    assert found is not None
    assert found["auth"] == "own"


def test_databases_are_embedded_unless_all_are_named() -> None:
    assert databases.external({"GATEPOST_AUTH_POSTGRES_DSN": "a", "GATEPOST_USERS_POSTGRES_DSN": "u"}) is None

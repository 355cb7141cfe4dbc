"""Where the commands find the services: a named folder, the environment, the default folder."""

from pathlib import Path

import pytest

from gatepost_cli import services
from gatepost_cli.errors import CommandFailed

KEY = "k" * 32


def test_an_environment_with_keys_and_a_target_names_the_services() -> None:
    found = services.from_environment(
        {"GATEPOST_SERVICE_KEYS": f"{KEY}, {KEY[1:]}z", "GATEPOST_AUTH_TARGET": "dns:///a"}
    )
    assert found is not None
    assert (found.auth_target, found.users_target, found.notify_target) == (
        "dns:///a",
        "ipv4:127.0.0.1:7002",
        "ipv4:127.0.0.1:7003",
    )
    assert found.service_keys == (KEY, f"{KEY[1:]}z")


@pytest.mark.parametrize("environment", [{}, {"GATEPOST_SERVICE_KEYS": KEY}, {"GATEPOST_AUTH_TARGET": "dns:///a"}])
def test_an_environment_with_less_names_none(environment: dict[str, str]) -> None:
    assert services.from_environment(environment) is None


def test_a_short_key_in_the_environment_is_refused() -> None:
    with pytest.raises(CommandFailed, match="32 characters"):
        services.from_environment({"GATEPOST_SERVICE_KEYS": "short", "GATEPOST_AUTH_TARGET": "dns:///a"})


def test_a_folder_that_is_named_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_SERVICE_KEYS", KEY)
    monkeypatch.setenv("GATEPOST_AUTH_TARGET", "dns:///a")
    assert services.locate(None).auth_target == "dns:///a"
    with pytest.raises(CommandFailed, match="no stack runs"):
        services.locate(tmp_path)

"""The settings of user-service, read from the environment."""

import pytest

from runtime.settings import load
from user_service.settings import UserSettings

KEY = "a-key-of-more-than-thirty-two-characters"
DSN = "postgresql://someone:canary@db.example/users"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_SERVICE_KEYS", KEY)
    monkeypatch.setenv("GATEPOST_USERS_POSTGRES_DSN", DSN)


def test_keys_and_dsn_are_enough() -> None:
    settings = load(UserSettings)
    assert (settings.users_listen, settings.users_metrics_listen) == ("127.0.0.1:7002", "127.0.0.1:7102")
    assert settings.users_postgres_dsn.get_secret_value() == DSN


def test_settings_do_not_show_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_USERS_MEDIA_S3_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("GATEPOST_USERS_MEDIA_S3_SECRET_ACCESS_KEY", "canary")
    assert "canary" not in repr(load(UserSettings))
    assert KEY not in repr(load(UserSettings))


@pytest.mark.parametrize(
    "dsn",
    [
        "postgres://db.example/users",
        "postgresql://someone@/users?host=/run/postgresql&port=5432",
        "postgresql:///users?host=/run/postgresql",
        "postgresql://someone:p%40ss@db-1.example:5432,[::1]:5433,db-3.example/users?sslmode=verify-full",
    ],
)
def test_a_dsn_is_taken(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_USERS_POSTGRES_DSN", dsn)
    assert load(UserSettings).users_postgres_dsn.get_secret_value() == dsn


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::1]:7002", "localhost:0", "unix:/run/gatepost/users.sock"])
def test_an_address_to_listen_on_is_taken(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPOST_USERS_LISTEN", address)
    assert load(UserSettings).users_listen == address


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEPOST_USERS_LISTEN", "7002"),
        ("GATEPOST_USERS_LISTEN", ":7002"),
        ("GATEPOST_USERS_LISTEN", "host:65536"),
        ("GATEPOST_USERS_LISTEN", "::1:7002"),
        ("GATEPOST_USERS_METRICS_LISTEN", "unix:/run/metrics.sock"),
        ("GATEPOST_USERS_METRICS_LISTEN", "host:http"),
        ("GATEPOST_USERS_POSTGRES_DSN", "mysql://someone:canary@db.example/users"),
        ("GATEPOST_USERS_POSTGRES_DSN", "postgresql://someone:a/canary@db.example/users"),
        ("GATEPOST_USERS_POSTGRES_DSN", "postgresql://someone:a@canary@db.example/users"),
        ("GATEPOST_USERS_POSTGRES_DSN", "postgresql://db.example:canary/users"),
        ("GATEPOST_USERS_POSTGRES_POOL_SIZE", "0"),
        ("GATEPOST_USERS_MEDIA_S3_ENDPOINT_URL", "canary.example:9000"),
        ("GATEPOST_USERS_MEDIA_S3_PREFIX", "/canary"),
        ("GATEPOST_USERS_MEDIA_S3_ACCESS_KEY_ID", "canary"),
        ("GATEPOST_USERS_PICTURE_WORKERS", "0"),
        ("GATEPOST_SERVICE_KEYS", "canary"),
        ("GATEPOST_SERVICE_KEYS", f"{KEY},canary"),
        ("GATEPOST_SHUTDOWN_GRACE_SECONDS", "soon"),
        ("GATEPOST_GRPC_TLS_CA_FILE", "/nowhere/ca.pem"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as caught:
        load(UserSettings)
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert said.startswith(name)
    assert said.count("\n") == 1
    assert "canary" not in said


def test_each_missing_setting_has_its_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GATEPOST_SERVICE_KEYS")
    monkeypatch.delenv("GATEPOST_USERS_POSTGRES_DSN")
    with pytest.raises(SystemExit):
        load(UserSettings)
    expected = "GATEPOST_SERVICE_KEYS is required.\nGATEPOST_USERS_POSTGRES_DSN is required.\n"
    assert capsys.readouterr().err == expected

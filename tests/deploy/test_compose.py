"""The compose file: accepted by compose, scalable, contained, and each service given its own secrets alone."""

import re
import shutil
from pathlib import Path

import pytest
from deploy.artefacts import DEPLOY, SERVICES, Compose, Stage, podman_compose
from pydantic import SecretStr

from auth_service.settings import AuthSettings
from gateway.settings import GatewaySettings
from notify_service.settings import NotifySettings
from runtime.settings import SharedSettings
from user_service.settings import UserSettings

OURS = (*SERVICES, "cli")
ALL = (*OURS, "balancer", "postgres", "valkey")
SETTINGS: tuple[type[SharedSettings], ...] = (GatewaySettings, AuthSettings, UserSettings, NotifySettings)
SECRET = re.compile(r"(_KEY|_KEYS|PASSWORD|_SECRET|_TOKEN)$")
# Whom a secret of .env may reach under its own name. The service keys are what every service has in common.
HOLDERS = {
    "GATEPOST_SERVICE_KEYS": set(OURS),
    "GATEPOST_MASTER_KEY": {"auth-service"},
    "GATEPOST_VALKEY_PASSWORD": {"valkey"},
    "GATEPOST_SMTP_USERNAME": {"notify-service"},
    "GATEPOST_SMTP_PASSWORD": {"notify-service"},
    "GATEPOST_SMS_AUTH_TOKEN": {"notify-service"},
    "GATEPOST_FACEBOOK_APP_SECRET": {"auth-service"},
    "GATEPOST_USERS_MEDIA_S3_SECRET_ACCESS_KEY": {"user-service"},
    "POSTGRES_PASSWORD": {"postgres"},
    "GATEPOST_AUTH_POSTGRES_PASSWORD": {"postgres"},
    "GATEPOST_USERS_POSTGRES_PASSWORD": {"postgres"},
    "GATEPOST_NOTIFY_POSTGRES_PASSWORD": {"postgres"},
}
# Secrets that are not in .env as such: compose makes them of passwords, or a file holds them.
COMPOSED = {
    "GATEPOST_AUTH_POSTGRES_DSN", "GATEPOST_USERS_POSTGRES_DSN", "GATEPOST_NOTIFY_POSTGRES_DSN", "GATEPOST_VALKEY_URL",
}  # fmt: skip


def example_names(*, commented: bool = True) -> set[str]:
    pattern = r"^#?([A-Z0-9_]+)=" if commented else r"^([A-Z0-9_]+)="
    return set(re.findall(pattern, (DEPLOY / "gatepost.env.example").read_text(encoding="utf-8"), re.MULTILINE))


def default_image(compose: Compose, service: str) -> str:
    image: str = compose["services"][service]["image"]
    return re.sub(r"\$\{[A-Z0-9_]+:-([^}]+)\}", r"\1", image)


def test_compose_accepts_the_file_with_a_fresh_env_file(resolved: Compose) -> None:
    assert set(ALL) == set(resolved["services"])


def test_compose_names_the_command_to_run_when_there_is_no_env_file(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns(".env*"))
    answer = podman_compose(tmp_path / "deploy", "config")
    assert answer.returncode != 0
    assert "run deploy/new-env.sh first" in answer.stderr


@pytest.mark.parametrize("service", [name for name in ALL if name != "cli"])
def test_every_service_has_a_health_check(service: str, resolved: Compose) -> None:
    assert resolved["services"][service]["healthcheck"]["test"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_health_check_of_compose_is_that_of_the_image(
    service: str, compose: Compose, stages: dict[str, Stage]
) -> None:
    command = compose["services"][service]["healthcheck"]["test"]
    quoted = ", ".join(f'"{word}"' for word in command[1:])
    assert stages[service].arguments("HEALTHCHECK")[0].endswith(f"CMD [{quoted}]")


@pytest.mark.parametrize("service", ALL)
def test_no_service_has_a_name_that_a_second_instance_could_not_have(service: str, compose: Compose) -> None:
    assert "container_name" not in compose["services"][service]
    assert "hostname" not in compose["services"][service]


def test_only_the_balancer_is_published(compose: Compose) -> None:
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["balancer"]


@pytest.mark.parametrize("service", OURS)
def test_every_service_of_ours_reads_the_one_env_file(service: str, compose: Compose) -> None:
    assert compose["services"][service]["env_file"] == [".env"]


@pytest.mark.parametrize("service", ALL)
def test_every_image_is_pinned_by_version(service: str, compose: Compose) -> None:
    assert re.search(r":v?\d+(\.\d+)+[\w.-]*$", default_image(compose, service))


@pytest.mark.parametrize("service", OURS)
def test_every_service_of_ours_is_built_from_a_target_of_the_dockerfile(
    service: str, compose: Compose, stages: dict[str, Stage]
) -> None:
    assert service == compose["services"][service]["build"]["target"]
    assert service in stages


@pytest.mark.parametrize("service", ALL)
def test_every_service_is_contained(service: str, compose: Compose) -> None:
    found = compose["services"][service]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert "cap_add" not in found
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["mem_limit"]
    assert found["pids_limit"]


def test_the_gateway_reaches_neither_postgresql_nor_valkey(compose: Compose) -> None:
    networks = {name: set(service["networks"]) for name, service in compose["services"].items()}
    assert {"data"} == networks["postgres"] == networks["valkey"]
    assert {"auth-service", "user-service", "notify-service", "postgres", "valkey"} == {
        name for name, joined in networks.items() if "data" in joined
    }


@pytest.mark.parametrize("network", ["edge", "services", "data"])
def test_the_inner_networks_lead_nowhere_outside(network: str, compose: Compose) -> None:
    assert compose["networks"][network]["internal"] is True


@pytest.mark.parametrize("service", OURS)
def test_services_find_every_instance_of_each_other(service: str, compose: Compose) -> None:
    targets = {k: v for k, v in compose["services"][service]["environment"].items() if k.endswith("_TARGET")}
    assert all(target.startswith("dns:///") for target in targets.values())


@pytest.mark.parametrize("service", ALL)
@pytest.mark.parametrize("secret", HOLDERS)
def test_a_secret_reaches_nobody_but_its_holders(
    secret: str, service: str, resolved: Compose, environment: dict[str, str]
) -> None:
    found = resolved["services"][service]
    inherited = environment if "env_file" in found else {}
    value = (inherited | found.get("environment", {})).get(secret)
    assert bool(value) == (service in HOLDERS[secret] and secret in environment)


def test_every_secret_of_the_env_file_is_one_that_these_tests_know() -> None:
    assert {name for name in example_names() if SECRET.search(name)} <= set(HOLDERS)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.__name__)
def test_every_secret_setting_is_one_that_these_tests_know(settings: type[SharedSettings]) -> None:
    fields = settings.model_fields.items()
    secret = {f"GATEPOST_{name.upper()}" for name, field in fields if SecretStr.__name__ in str(field.annotation)}
    assert secret <= set(HOLDERS) | COMPOSED


def test_every_variable_of_the_compose_file_is_in_the_example() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{([A-Z0-9_]+)", text)) <= example_names()


def test_every_name_in_the_example_is_a_setting_or_a_variable_of_the_compose_file() -> None:
    settings = {f"GATEPOST_{name.upper()}" for kind in SETTINGS for name in kind.model_fields}
    variables = set(re.findall(r"\$\{([A-Z0-9_]+)", (DEPLOY / "compose.yaml").read_text(encoding="utf-8")))
    assert example_names() <= settings | variables


def test_the_example_shows_the_defaults_of_the_compose_file(compose: Compose) -> None:
    text = (DEPLOY / "gatepost.env.example").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^#?([A-Z0-9_]+)=(.*)$", text, re.MULTILINE))
    used = dict(re.findall(r"\$\{([A-Z0-9_]+):-([^}]+)\}", (DEPLOY / "compose.yaml").read_text(encoding="utf-8")))
    assert used.items() <= shown.items()
    assert compose["name"] == "gatepost"

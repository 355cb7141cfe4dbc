"""The files of deploy/ as the tests read them: as written, and as compose resolves them with a fresh .env."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from deploy.artefacts import COMMAND_SECONDS, DEPLOY, Compose, Stage, dockerfile_stages, podman_compose


@pytest.fixture(scope="session")
def compose() -> Compose:
    document: Compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="session")
def stages() -> dict[str, Stage]:
    return dockerfile_stages()


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of deploy/ whose .env `new-env.sh` has just made."""
    copy = tmp_path_factory.mktemp("checkout") / "deploy"
    shutil.copytree(DEPLOY, copy, ignore=shutil.ignore_patterns(".env*"))
    subprocess.run([copy / "new-env.sh"], check=True, timeout=COMMAND_SECONDS)
    return copy


@pytest.fixture(scope="session")
def resolved(deployment: Path) -> Compose:
    """The compose file with every variable filled in from a fresh .env."""
    answer = podman_compose(deployment, "--profile", "cli", "config")
    assert answer.returncode == 0, answer.stderr
    document: Compose = yaml.safe_load(answer.stdout)
    return document


@pytest.fixture(scope="session")
def environment(deployment: Path) -> dict[str, str]:
    """The variables of a fresh .env."""
    lines = (deployment / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

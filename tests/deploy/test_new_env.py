"""The command that makes deploy/.env, and the other shell scripts of deploy/."""

import re
import subprocess
from pathlib import Path

import pytest
from deploy.artefacts import COMMAND_SECONDS, DEPLOY

SECRETS = [
    line.removesuffix("=")
    for line in (DEPLOY / "gatepost.env.example").read_text(encoding="utf-8").splitlines()
    if re.fullmatch(r"[A-Z_]+=", line)
]


def test_every_secret_is_32_random_bytes_of_its_own(environment: dict[str, str]) -> None:
    values = [environment[name] for name in SECRETS]
    assert values
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in values)
    assert len(values) == len(set(values))


def test_nothing_but_secrets_is_filled_in(environment: dict[str, str]) -> None:
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / "gatepost.env.example").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert {name: value for name, value in example.items() if value} == {
        name: value for name, value in environment.items() if name not in SECRETS
    }


def test_only_its_owner_may_read_the_file(deployment: Path) -> None:
    assert (deployment / ".env").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_not_replaced(deployment: Path) -> None:
    before = (deployment / ".env").read_bytes()
    again = subprocess.run(
        [deployment / "new-env.sh"], capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
    )
    assert again.returncode == 1
    assert ".env is there already" in again.stderr
    assert before == (deployment / ".env").read_bytes()


def test_git_leaves_the_file_alone() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", ".env"], cwd=DEPLOY, check=False, timeout=COMMAND_SECONDS
    )
    assert ignored.returncode == 0


@pytest.mark.parametrize("script", sorted(DEPLOY.rglob("*.sh")), ids=lambda script: script.name)
def test_a_shell_script_can_be_read_by_any_shell_and_run(script: Path) -> None:
    assert script.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert script.stat().st_mode & 0o100
    subprocess.run(["sh", "-n", script], check=True, timeout=COMMAND_SECONDS)

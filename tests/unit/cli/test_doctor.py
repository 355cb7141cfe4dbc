"""What `gatepost doctor` finds on a machine, and how it says so."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatepost_cli import data_dir, secrets_file
from gatepost_cli.diagnosis import machine, storage
from gatepost_cli.diagnosis import services as service_checks
from gatepost_cli.diagnosis.finding import Finding, Status
from gatepost_cli.services import Services


def of_machine(where: data_dir.DataDir) -> dict[str, Finding]:
    return {finding.name: finding for finding in machine.look(where, running=True, embedded=True)}


@pytest.fixture
def where(tmp_path: Path) -> data_dir.DataDir:
    where = data_dir.locate(tmp_path / "data")
    data_dir.create(where, None)
    secrets_file.load(where)
    return where


def test_a_fit_machine_has_no_advice(where: data_dir.DataDir) -> None:
    assert [finding for finding in of_machine(where).values() if finding.status is not Status.OK] == []


def test_a_data_folder_open_to_others_fails(where: data_dir.DataDir) -> None:
    where.path.chmod(0o755)
    assert of_machine(where)["data folder"].advice == f"chmod 700 {where.path}"


def test_secrets_open_to_others_fail(where: data_dir.DataDir) -> None:
    where.secrets.chmod(0o644)
    assert of_machine(where)["secrets"].status is Status.FAIL


def test_databases_without_their_secrets_fail(where: data_dir.DataDir) -> None:
    (where.postgres / "data").mkdir(parents=True)
    where.secrets.unlink()
    assert "restore it" in of_machine(where)["secrets"].advice


async def test_a_postgresql_that_answers_is_well(postgres: Any) -> None:
    (finding,) = await storage.look({"auth": postgres.create_database()}, None)
    assert (finding.status, finding.name) == (Status.OK, "PostgreSQL database auth")


async def test_a_wrong_password_of_postgresql_fails_without_showing_it(postgres: Any) -> None:
    dsn = postgres.create_database().replace("gatepost:", "gatepost:not")
    (finding,) = await storage.look({"auth": dsn}, None)
    assert (finding.status, "password authentication failed" in finding.detail) == (Status.FAIL, True)


async def test_a_valkey_that_answers_is_well(valkey_url: Callable[[], str]) -> None:
    (finding,) = await storage.look({}, valkey_url())
    assert (finding.status, finding.detail) == (Status.OK, "answers, keeps what it is given")


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "http://nowhere"])
async def test_a_valkey_that_cannot_be_used_fails(url: str) -> None:
    (finding,) = await storage.look({}, url)
    assert finding.status is Status.FAIL


async def test_a_service_that_is_not_there_fails_with_its_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = f"ipv4:127.0.0.1:{unused.getsockname()[1]}"
    services = Services(auth_target=target, users_target=target, notify_target=target, service_keys=("k" * 32,))
    async with asyncio.timeout(20):
        findings = await service_checks.look(services, None)
    assert [(finding.status, target in finding.detail) for finding in findings] == [(Status.FAIL, True)] * 3


def test_a_machine_where_nothing_runs_yet_is_no_failure(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gatepost_cli", "doctor", "--json", "--data-dir", str(tmp_path)],
        env={name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")},
        capture_output=True,
        check=False,
        text=True,
    )
    checks = {check["name"]: check["status"] for check in json.loads(done.stdout)["checks"]}
    assert (done.returncode, checks["stack"]) == (0, "warn")

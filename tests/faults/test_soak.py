"""The soak works, leaves nothing behind, and would tell if something grew. The long one is `make soak`."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bench.soak import verdict
from bench.soak.people import Person
from bench.soak.readings import Process, Reading
from conftest import inherited_environment

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 10
CALM = Process(memory_mb=60.0, private_mb=30.0, files=30, sockets=20, threads=12, tasks=15)


def readings(hourly: float, field: str = "private_mb", seconds: float = 1200) -> list[Reading]:
    """Return what would be read while a field of the gateway rises by so much in an hour, with some noise."""
    made = []
    for at in range(0, int(seconds), 10):
        value = getattr(CALM, field) + hourly * at / 3600 + (at // 10 * 7 % 5 - 2) / 5
        made.append(Reading(at, {"gateway": replace(CALM, **{field: value})}, {"auth-service": 5}, 2.0, 3, 0))
    return made


def leaks(found: list[Reading]) -> list[str]:
    return [slope.of for slope in verdict.slopes(found) if slope.leaks]


@pytest.mark.parametrize(
    ("field", "series", "most"),
    [
        ("private_mb", "gateway private MB", verdict.MEMORY_MB),
        ("files", "gateway files", verdict.FILES),
        ("threads", "gateway threads", verdict.THREADS),
        ("tasks", "gateway tasks", verdict.TASKS),
    ],
)
def test_what_rises_faster_than_it_may_is_a_leak_and_what_only_varies_is_none(
    field: str, series: str, most: float
) -> None:
    assert leaks(readings(2 * most, field)) == [series]
    assert leaks(readings(0, field)) == []
    assert leaks(readings(-2 * most, field)) == []


def test_a_short_series_proves_nothing() -> None:
    assert leaks(readings(1000, seconds=100)) == []


def test_what_stays_after_the_load_is_told() -> None:
    before = readings(0)[0]
    after = replace(before, processes={"gateway": replace(CALM, files=80, tasks=60, threads=60)}, valkey_clients=40)
    assert verdict.left_behind(before, before) == []
    assert verdict.left_behind(before, after) == [
        "gateway: files: 50 more",
        "gateway: threads: 48 more",
        "gateway: tasks: 45 more",
        "connections to Valkey: 37 more",
    ]


def test_the_line_is_the_one_of_least_squares() -> None:
    slope, start, spread = verdict.regression([0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 5.0, 7.0])
    assert slope == pytest.approx(2)
    assert start == pytest.approx(1)
    assert spread == pytest.approx(0, abs=1e-9)


def test_a_short_soak_does_everything_without_an_error_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.soak", "--seconds", str(SECONDS), "--reports", str(tmp_path)]
    environment = inherited_environment() | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=240)
    sys.stderr.write(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = tmp_path.glob("*-soak.json")
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["findings"] == []
    assert found["operations"].keys() <= Person.KINDS.keys()
    assert len(found["operations"]) >= len(Person.KINDS) - 3  # the rare ones may not have had their turn
    assert report.with_suffix(".md").exists()
    for reading in (found["before"], found["after"], *found["readings"]):
        assert {name for name, each in reading["processes"].items() if each["tasks"]} == {
            "gateway",
            "auth-service",
            "user-service",
            "notify-service",
        }

"""Random work on a few accounts while the stack is killed, stopped and restarted: every promise made is kept.

`GATEPOST_FAULTS=full` (or `GATEPOST_HISTORY_SECONDS`) makes it long and writes a report into docs/reports;
`GATEPOST_HISTORY_SEED` repeats the choices of a run.
"""

import asyncio
import os
from pathlib import Path
from random import SystemRandom

import pytest
from conftest import GatepostStack
from faults import history_report, history_run
from faults.history_workers import Dose

SECONDS = 30.0
FULL_SECONDS = 1800.0
REPORTS = Path(__file__).parents[2] / "docs" / "reports"


async def test_no_history_breaks_a_promise(fragile: GatepostStack, capsys: pytest.CaptureFixture[str]) -> None:
    full = os.environ.get("GATEPOST_FAULTS") == "full"
    seconds = float(os.environ.get("GATEPOST_HISTORY_SECONDS") or (FULL_SECONDS if full else SECONDS))
    seed = int(os.environ.get("GATEPOST_HISTORY_SEED") or SystemRandom().randrange(10**6))
    apps = await asyncio.to_thread(history_run.prepare, fragile)
    found = await history_run.run(fragile, apps, seconds, seed, Dose())
    with capsys.disabled():
        print("", *history_report.lines(found), sep="\n")  # noqa: T201
    if seconds > SECONDS:
        history_report.write(found, REPORTS, "histories")
    assert found.faults
    assert found.operations["look", "ok"]
    assert [(number, each.rule, each.text) for number, each in found.broken] == []

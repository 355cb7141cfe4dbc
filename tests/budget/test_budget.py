"""What a request takes: RPCs, statements, commits, Valkey commands, hashes and signatures, counted and not timed.

A slower design fails here, whatever the machine; a cheaper one is entered in `budgets.csv` too, so that the table stays
true. A new route fails until it has a case and a budget. The columns are those of `meter.Spent`. After a change that
was meant, GATEPOST_WRITE_BUDGETS=1 in the environment makes the table again; review what it says.
"""

import asyncio
import os
from pathlib import Path

import pytest
from budget import on_ihopr, on_ossn, on_shoop, on_sngine, on_vorgid
from budget.cases import Case, Place
from budget.meter import Meter, Spent, per_request

from gateway.dialects import DIALECTS

_REQUESTS = 5
CASES = [case for module in (on_ihopr, on_ossn, on_shoop, on_sngine, on_vorgid) for case in module.CASES]
TABLE = Path(__file__).with_name("budgets.csv")
COLUMNS = ("statements", "commits", "valkey", "hashes", "signatures", "rpcs")
HEAD = ",".join(["request", *COLUMNS])


async def measured(case: Case, place: Place, meter: Meter) -> Spent:
    """Return what one request takes, after a first one that leaves warm what is shared."""
    first = await case.prepare(place)
    sends = [first] * _REQUESTS
    if not case.repeated:
        sends = await asyncio.gather(*(case.prepare(place) for _ in range(_REQUESTS)))
    await first()
    before = await meter.read()
    for send in sends:
        await send()
    return per_request(before, await meter.read(), _REQUESTS)


def table() -> list[str]:
    """Return the lines of the table."""
    head, *lines = TABLE.read_text(encoding="utf-8").splitlines()
    assert head == HEAD
    return lines


def write(case: Case, spent: Spent) -> None:
    """Put the truth about a case into the table, and take out what is no case any more."""
    names = {each.name for each in CASES} - {case.name}
    kept = {name: line for line in table() if (name := line.partition(",")[0]) in names}
    lines = kept | {case.name: line_of(case, spent)}
    TABLE.write_text("\n".join([HEAD, *(lines[name] for name in sorted(lines)), ""]), encoding="utf-8")


def line_of(case: Case, spent: Spent) -> str:
    """Return the line of the table that would be true."""
    return ",".join([case.name, *(str(getattr(spent, column)) for column in COLUMNS)])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_request_takes_what_its_budget_says(case: Case, place: Place, meter: Meter) -> None:
    spent = await measured(case, place, meter)
    if os.environ.get("GATEPOST_WRITE_BUDGETS"):
        write(case, spent)
    budget = next((line for line in table() if line.startswith(f"{case.name},")), "nothing in the table")
    assert line_of(case, spent) == budget, f"it takes {spent.of}"


def test_every_route_of_every_dialect_has_a_case() -> None:
    routes = {f"{dialect.name} {route.methods} {route.path}" for dialect in DIALECTS for route in dialect.routes}
    assert routes == {case.route for case in CASES}


def test_every_budget_is_of_one_case() -> None:
    assert [line.partition(",")[0] for line in table()] == sorted(case.name for case in CASES)

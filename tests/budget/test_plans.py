"""No statement reads a whole table that grows with users: every request is made where there are very many of them.

Whatever the stores run is seen, so a new statement cannot escape: PostgreSQL logs the plan of each, and every RPC is
called.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from budget import calls, plans
from budget.cases import Case, Place
from budget.meter import Meter
from budget.plans import Plan
from budget.test_budget import CASES
from conftest import PASSWORD, GatepostStack

from gatepost_cli.embedded import postgres
from gatepost_cli.embedded.postgres import PostgresServer
from runtime.migrations import migrate

_AT_ONCE = 8
_WORDS = {"auth_service": "auth", "user_service": "users", "notify_service": "notify"}
# Rows for what operators make, and for places on the map.
_SMALL = frozenset({"projects", "api_keys", "keys", "locations", "signing_keys", "schema_migrations"})
# Partial indexes of what waits, which is counted for the metrics, and of pictures on their way in or out.
_WAITING = frozenset({"messages_due", "messages_due_by_channel", "messages_dead", "pictures_due_idx"})
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@dataclass(frozen=True)
class Crowded:
    """A stack with very many users.

    Attributes:
        stack: running.
        dsns: of its databases.
        log: of its PostgreSQL: the plan of each statement.
    """

    stack: GatepostStack
    dsns: list[str]
    log: Path


def sql(name: str) -> str:
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def crowded(
    own_loop: Run, tmp_path_factory: pytest.TempPathFactory, make_stack: Callable[..., GatepostStack]
) -> Iterator[Crowded]:
    folder = tmp_path_factory.mktemp("crowd")

    def start(**settings: str) -> PostgresServer:
        starting = postgres.start(
            folder, password=PASSWORD, databases=list(_WORDS.values()), durable=False, settings=settings
        )
        server: PostgresServer = own_loop(starting)
        return server

    server = start()
    dsns = {word: server.dsn_for(word) for word in _WORDS.values()}
    for package, word in _WORDS.items():
        own_loop(migrate(dsns[word], package))
        own_loop(plans.run(dsns[word], sql(f"crowd_{word}") + sql("crowd_counted")))
    own_loop(server.stop())
    server = start(**plans.LOGGING)
    stack = make_stack(**{f"GATEPOST_{word.upper()}_POSTGRES_DSN": dsn for word, dsn in dsns.items()})
    stack.up("--no-demo")
    yield Crowded(stack, list(dsns.values()), server.folder / "server.log")
    stack.down()
    own_loop(server.stop())


@pytest.fixture(scope="module")
async def made(crowded: Crowded, counting_session: ClientSession) -> list[Plan]:
    """Make every request once; return how PostgreSQL carried out what was asked of it."""
    place = Place(crowded.stack, counting_session)
    place.make_everything()
    free = asyncio.Semaphore(_AT_ONCE)

    async def once(case: Case) -> None:
        async with free:
            await (await case.prepare(place))()

    await asyncio.gather(*(once(case) for case in CASES))
    await calls.make(crowded.stack, place)
    return plans.read(crowded.log)


async def test_no_statement_reads_all_of_what_grows_with_users(made: list[Plan]) -> None:
    assert found(made) == {}, told(found(made))


async def test_no_statement_does_once_its_plan_is_kept_for_all_arguments(made: list[Plan], crowded: Crowded) -> None:
    dearest = {plan.statement: max(each.cost for each in made if each.statement == plan.statement) for plan in made}
    known = [plan for dsn in crowded.dsns for plan in await plans.kept(dsn, dearest)]
    assert len(known) > len(dearest) / 2  # those of triggers cannot be run alone
    kept = [plan for plan in known if plan.cost <= dearest[plan.statement] + plans.PLANNING_COST]
    assert found(kept) == {}, told(found(kept))


async def test_every_rpc_was_called(made: list[Plan], crowded: Crowded, counting_session: ClientSession) -> None:
    assert made
    processes = crowded.stack.status()["processes"]
    meter = Meter(counting_session, [each["metrics"] for each in processes if each["metrics"]])
    called = {work.rpartition(".")[2] for kind, work in await meter.read() if kind == "rpc"}
    assert calls.methods() - calls.LEFT_OUT - called == set()


@pytest.mark.parametrize(
    ("statement", "whole"),
    [
        ("SELECT id FROM accounts WHERE role = $1", {"accounts"}),
        ("SELECT count(*) FROM grants", {"grants"}),
        ("SELECT max(hash) FROM (SELECT hash FROM links ORDER BY hash) x", {"links"}),
        ("SELECT id FROM accounts WHERE id = $1", set()),
        ("SELECT id FROM audit_events ORDER BY id LIMIT 5", set()),
    ],
)
async def test_a_scan_of_a_whole_table_is_found(crowded: Crowded, statement: str, whole: set[str]) -> None:
    (plan,) = await plans.kept(crowded.dsns[0], {statement})
    assert {scan.partition("_")[0] for scan in plan.whole_scans()} == whole


def found(seen: list[Plan]) -> dict[str, str]:
    """Return what is read from end to end although it grows with users, and a statement that does it."""
    return {
        scan: plan.statement
        for plan in seen
        for scan in plan.whole_scans()
        if scan not in _SMALL | _WAITING and not scan.startswith("pg_")
    }


def told(scans: dict[str, str]) -> str:
    """Return the same to read."""
    return "\n".join(f"{scan} is read whole by: {' '.join(statement.split())}" for scan, statement in scans.items())

"""Reads the plans that PostgreSQL's auto_explain logged, and says which of them grow with the number of users."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

LOGGING = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_format": "json",
    "auto_explain.log_nested_statements": "on",  # those of triggers
    "autovacuum": "off",  # it would count the rows anew
}
# A plan is kept for all arguments when it is thought to cost no more than one made for them and the making; that is
# 2.5 for a statement and for each of its tables (src/backend/utils/cache/plancache.c).
PLANNING_COST = 2.5 * 10
_ARGUMENTS = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'kept'"
_PLAN = re.compile(r"plan:\n((?:\t.*\n)*)")


@dataclass(frozen=True)
class Plan:
    """How a statement was carried out.

    Attributes:
        statement: its text.
        root: PostgreSQL's tree of nodes.
    """

    statement: str
    root: dict[str, Any]

    @property
    def cost(self) -> float:
        """What PostgreSQL thinks it costs."""
        return float(self.root["Total Cost"])

    def whole_scans(self) -> Iterator[str]:
        """Yield each table or index that is read from end to end, whatever the number of its rows."""
        yield from _whole_scans(self.root, limited=False)


def _whole_scans(node: dict[str, Any], *, limited: bool) -> Iterator[str]:
    kind = node["Node Type"]
    if kind == "Seq Scan":
        yield str(node["Relation Name"])
    elif (kind in {"Index Scan", "Index Only Scan"} and "Index Cond" not in node and not limited) or (
        kind == "Bitmap Index Scan" and "Index Cond" not in node
    ):
        yield str(node["Index Name"])
    # A limit ends a scan in an index's order early; what sorts or adds up reads everything first.
    limited = kind == "Limit" or (limited and kind in {"LockRows", "Nested Loop", "Subquery Scan", "Result"})
    for inner in node.get("Plans", ()):
        yield from _whole_scans(inner, limited=limited)


async def run(dsn: str, script: str) -> None:
    """Run statements without arguments."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


def read(log: Path) -> list[Plan]:
    """Return the plans in a server's log, but for those that `kept` asks for."""
    documents = (json.loads(found[1]) for found in _PLAN.finditer(log.read_text(encoding="utf-8")))
    plans = (Plan(document["Query Text"], document["Plan"]) for document in documents)
    return [plan for plan in plans if not plan.statement.startswith("PREPARE")]


async def kept(dsn: str, statements: Iterable[str]) -> list[Plan]:
    """Return the plans that PostgreSQL keeps for statements once they have run often, whatever their arguments.

    Those that are no statements of this database are passed over.
    """
    connection = await asyncpg.connect(dsn, server_settings={"plan_cache_mode": "force_generic_plan"})
    found = []
    try:
        for statement in statements:
            try:
                await connection.execute(f"PREPARE kept AS {statement}")
            except asyncpg.PostgresError:
                continue
            count = await connection.fetchval(
                "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'kept'"
            )
            arguments = f"({', '.join(['NULL'] * count)})" if count else ""
            document = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE kept{arguments}")
            await connection.execute("DEALLOCATE kept")
            found.append(Plan(statement, json.loads(document)[0]["Plan"]))
    finally:
        await connection.close()
    return found

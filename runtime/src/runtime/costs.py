"""Counts what costs: statements, commits, Valkey commands, password hashes and signatures, by the work they are for.

Everything that does such a thing says so here; `tests/budget` holds requests to a budget of them. Counted on the event
loop only. Labels are bounded: names of RPCs and of background loops.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from runtime.context import current

# What is counted; see docs/operations.md.
Cost = Literal["statement", "commit", "valkey", "hash", "signature"]
_spent: defaultdict[tuple[Cost, str], int] = defaultdict(int)


def spend(cost: Cost) -> None:
    """Count one more, for the work at hand. Costs 0.5 µs; a labelled counter of the library takes seven times that."""
    _spent[cost, current().work] += 1


class _Costs(Collector):
    def collect(self) -> Iterable[CounterMetricFamily]:
        """Tell what was spent since the process began."""
        family = CounterMetricFamily(
            "gatepost_costs",
            "What costs: statement (a round trip to PostgreSQL), commit (of what may have written), valkey (a round "
            "trip), hash (of a password), signature. `work` is the RPC or the background loop it was for.",
            labels=["cost", "work"],
        )
        for (cost, work), count in _spent.items():
            family.add_metric([cost, work], count)
        yield family


REGISTRY.register(_Costs())

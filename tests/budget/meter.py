"""Reads what requests cost from the services' metrics: RPCs by method, and what `runtime.costs` counts.

Work that no request waits for is left out: what background loops do (its `work` is a loop's name) and the RPCs that
they call, and health checks. So nothing has to be still while we count.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

_PREFIX = "/gatepost."
# Called by the relay and by the sweep, after the answer.
_AFTERWARDS = frozenset(
    {"/gatepost.notify.v1.MessageService/SendMessage", "/gatepost.users.v1.ProfileService/DeleteProfile"}
)
_READ = frozenset({"gatepost_rpc_seconds_count", "gatepost_costs_total"})


@dataclass(frozen=True, slots=True)
class Spent:
    """What one request takes.

    Args:
        statements: Round trips to PostgreSQL: BEGIN and COMMIT are two of them.
        commits: Of what may have written: each waits for the disk.
        valkey: Round trips to Valkey.
        hashes: Of passwords.
        signatures: Made, or made again to check one.
        rpcs: `Service/Method`, in order of the alphabet, as often as called.
        of: The same by the RPC it was for, to find it by; no part of a budget.
    """

    statements: int
    commits: int
    valkey: int
    hashes: int
    signatures: int
    rpcs: str
    of: dict[str, dict[str, int]] = field(default_factory=dict, compare=False, repr=False)


class Meter:
    """Takes readings.

    Args:
        session: Open HTTP session.
        urls: Of the services' metrics.
    """

    def __init__(self, session: ClientSession, urls: Iterable[str]) -> None:
        self._session = session
        self._urls = tuple(urls)

    async def read(self) -> Counter[tuple[str, str]]:
        """Return what has been spent so far, by kind (`rpc`, or a `runtime.costs.Cost`) and work."""
        spent: Counter[tuple[str, str]] = Counter()
        for url in self._urls:
            async with self._session.get(f"{url}/metrics") as answer:
                text = await answer.text()
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    if sample.name in _READ:
                        work = sample.labels.get("work", sample.labels.get("method", ""))
                        spent[sample.labels.get("cost", "rpc"), work] += int(sample.value)
        return spent


def per_request(before: Counter[tuple[str, str]], after: Counter[tuple[str, str]], requests: int) -> Spent:
    """Divide the difference of two readings.

    Raises:
        AssertionError: The requests did not all cost the same.
    """
    spent: dict[str, Counter[str]] = {}
    for (kind, work), count in (after - before).items():
        # What belongs to no RPC and no loop is counted: nothing can be hidden by doing it elsewhere.
        if work not in _AFTERWARDS and (not work or work.startswith(_PREFIX)):
            share = Fraction(count, requests)
            assert share.denominator == 1, f"{count} times {kind} for {work} in {requests} requests alike"
            spent.setdefault(kind, Counter())[work.rpartition(".")[2]] += int(share)
    works = sorted({work for by_work in spent.values() for work in by_work})
    return Spent(
        statements=sum(spent.get("statement", {}).values()),
        commits=sum(spent.get("commit", {}).values()),
        valkey=sum(spent.get("valkey", {}).values()),
        hashes=sum(spent.get("hash", {}).values()),
        signatures=sum(spent.get("signature", {}).values()),
        rpcs=" ".join(sorted(Counter(spent.get("rpc", {})).elements())),
        of={work: {kind: by_work[work] for kind, by_work in spent.items() if by_work[work]} for work in works},
    )

"""How many passwords a stack has hashed so far, as its metrics tell."""

from aiohttp import ClientSession
from conftest import GatepostStack
from prometheus_client.parser import text_string_to_metric_families


async def hashes(session: ClientSession, stack: GatepostStack) -> int:
    """Return the sum over all processes."""
    found = 0
    for process in stack.status()["processes"]:
        if process["metrics"]:
            async with session.get(f"{process['metrics']}/metrics") as answer:
                for family in text_string_to_metric_families(await answer.text()):
                    for sample in family.samples:
                        if sample.name == "gatepost_costs_total" and sample.labels["cost"] == "hash":
                            found += int(sample.value)
    return found

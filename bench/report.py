"""Writes what was measured: Markdown for people, JSON with every round, and the picture."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from bench import goals, page
from bench.picture import draw
from bench.results import Entrants, Results
from bench.rounds import Subject
from bench.verdict import Verdict


def write(results: Results, folder: Path, day: date) -> Path:
    """Write the three files, `<day>-<extent>.md`, `.json` and `.svg`; return the first."""
    folder.mkdir(exist_ok=True)
    verdicts = results.verdicts()
    path = folder / f"{day.isoformat()}-{results.extent.name}.md"
    path.with_suffix(".json").write_text(json.dumps(_document(results, verdicts), indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".svg").write_text(draw(results, verdicts), encoding="utf-8")
    path.write_text(
        "\n".join(page.lines(results, verdicts, misses(results), path.with_suffix(".svg").name)) + "\n",
        encoding="utf-8",
    )
    return path


def misses(results: Results) -> list[str]:
    """Return the goals that are missed by more than the noise, in words."""
    found = [f"{verdict.workload}: {miss}" for verdict in results.verdicts() for miss in verdict.misses]
    limits = (
        ("cheap calls while hashing, p95 in ms", median(results.saturated_p95), goals.CHEAP_P95_MS),
        ("idle memory in MB", sum(results.memory.values()), goals.IDLE_MEMORY_MB),
        ("idle CPU, part of a core", results.idle_cpu_share, goals.IDLE_CPU_SHARE),
        ("second start in seconds", results.starts["second"], goals.SECOND_START_SECONDS),
    )
    return found + [
        f"{name}: {value:.3g}, goal {goal:g}" for name, value, goal in limits if value > goal * (1 + goals.NOISE)
    ]


def _alike(entrants: Entrants, name: str) -> dict[str, str]:
    return {workload: f"as {other}" for workload, other in entrants.alike[name].items()}


def _document(results: Results, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    def subject(found: Subject) -> dict[str, Any]:
        return {workload: [r.document() for r in rounds] for workload, rounds in found.rounds.items()}

    def entrants(found: Entrants) -> dict[str, Any]:
        measured = {name: subject(each) for name, each in found.subjects.items()}
        measured |= {name: measured[name] | _alike(found, name) for name in measured}
        return {"described": found.described, "missing": found.missing, "rounds": measured, "unequal": found.unequal}

    return {
        "extent": asdict(results.extent),
        "machine": results.facts,
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "misses": misses(results),
        "gatepost": subject(results.ours),
        "ceilings": {part: [asdict(s) for s in found] for part, found in results.ceilings.items()},
        "hashers": {name: asdict(sample) for name, sample in results.hashers.items()},
        "best_hasher": results.best_hasher,
        "installable_hasher": results.installable_hasher,
        "peers": entrants(results.peers),
        "peers_with_own_defaults": entrants(results.defaults),
        "saturated_p95_ms": results.saturated_p95,
        "idle_cpu_share": results.idle_cpu_share,
        "memory_mb": results.memory,
        "memory_first_mb": results.memory_first_mb,
        "memory_after_mb": results.memory_after_mb,
        "starts_seconds": results.starts,
        "instances": {
            "one": {name: [r.document() for r in rounds] for name, rounds in results.instances.one.items()},
            "two": {name: [r.document() for r in rounds] for name, rounds in results.instances.two.items()},
        },
        "remarks": results.remarks,
        "seconds": results.seconds,
    }

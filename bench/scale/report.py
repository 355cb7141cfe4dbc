"""The report of a run: Markdown, and JSON with every round."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from statistics import median

from bench.goals import GROWTH, NOISE
from bench.scale.measure import TITLES, WORKLOADS
from bench.scale.run import Measured, Run


def write(run: Run, found: Sequence[Measured], folder: Path, day: date) -> Path:
    """Write both files, `<day>-scale.md` and `.json`; return the first."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{day.isoformat()}-scale.md"
    path.write_text("\n".join(_lines(run, found)) + "\n", encoding="utf-8")
    document = {
        "machine": run.facts,
        "seconds": run.seconds,
        "rounds": run.rounds,
        "missed": misses(found),
        "sizes": [
            {
                "users": each.users,
                "loaded": asdict(each.loaded),
                "workloads": {name: [r.document() for r in rounds] for name, rounds in each.rounds.items()},
            }
            for each in found
        ],
    }
    path.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def lines(found: Sequence[Measured]) -> list[str]:
    """Return one line a workload: CPU time of a request and 99th percentile for each number of users."""
    return [
        f"{name} "
        + " ".join(f"cpu_us_{m.users}={_cpu(m, name):.0f} p99_ms_{m.users}={_p99(m, name):.1f}" for m in found)
        for name in WORKLOADS
    ]


def misses(found: Sequence[Measured]) -> list[str]:
    """Return what costs more than it may with more users than the fewest, by more than the noise."""
    said = []
    for name in WORKLOADS:
        for each in found[1:]:
            ratio = _cpu(each, name) / _cpu(found[0], name)
            if ratio > GROWTH * (1 + NOISE):
                said.append(f"{name}: {ratio:.2f} times as much with {each.users} users, goal {GROWTH}")
        if errors := sum(r.errors for each in found for r in each.rounds[name]):
            said.append(f"{name}: {errors} errors")
    return said


def _lines(run: Run, found: Sequence[Measured]) -> Iterable[str]:
    facts = run.facts
    yield "# Measured: growth\n"
    yield f"- {facts['processor']}, {facts['cores']} cores, {facts['memory_mb']} MB; {facts['system']}"
    yield f"- {facts['python']}, interpreter {facts['interpreter']}"
    yield f"- {run.rounds} rounds of {run.seconds:g} s; CPU time of all processes, PostgreSQL and Valkey included"
    yield "- cheap password hashes, nothing kept by the gateway: every request reads what it needs"
    yield f"- goal: at most {GROWTH} times the cost with {found[0].users} users\n"
    yield "## CPU µs of one request (ratio), and 99th percentile in ms\n"
    yield "| request | " + " | ".join(f"{each.users:,} users" for each in found) + " |"
    yield "|" + " --- |" * (len(found) + 1)
    for name in WORKLOADS:
        yield f"| {TITLES[name]} | " + " | ".join(_cell(found[0], each, name) for each in found) + " |"
    yield "\n## Loading\n"
    yield "| users | seconds | MB on disk | KB a user |"
    yield "| --- | --- | --- | --- |"
    for each in found:
        megabytes = each.loaded.megabytes
        yield f"| {each.users:,} | {each.loaded.seconds:.0f} | {megabytes:.0f} | {megabytes / each.users * 1000:.2f} |"
    yield "\n## Goals missed by more than the noise\n"
    yield from ([f"- {miss}" for miss in misses(found)] or ["none"])


def _cell(first: Measured, each: Measured, name: str) -> str:
    ratio = f" ({_cpu(each, name) / _cpu(first, name):.2f})" if each is not first else ""
    return f"{_cpu(each, name):.0f}{ratio}, {_p99(each, name):.1f} ms"


def _figures(measured: Measured, name: str) -> str:
    return f"cpu_us_{measured.users}={_cpu(measured, name):.0f} p99_ms_{measured.users}={_p99(measured, name):.1f}"


def _cpu(measured: Measured, name: str) -> float:
    return median(found.cpu_us for found in measured.rounds[name])


def _p99(measured: Measured, name: str) -> float:
    return median(found.p99 for found in measured.rounds[name])

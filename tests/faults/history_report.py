"""What a dose of the history test came to, as Markdown for people and JSON for everything else."""

import json
import platform
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from faults.history_run import Found


def write(found: Found, folder: Path, name: str) -> Path:
    """Write both; return where the Markdown is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(_facts(found), indent=1) + "\n", encoding="utf-8")
    page = folder / f"{name}.md"
    page.write_text("\n".join(lines(found)) + "\n", encoding="utf-8")
    return page


def lines(found: Found) -> Iterator[str]:
    """Say it in lines of Markdown."""
    total = sum(found.operations.values())
    yield "# Histories under faults"
    yield ""
    yield (
        f"{total} operations on {len(found.histories)} accounts in {found.seconds:.0f} s, {len(found.faults)} faults, "
        f"{len(found.broken)} violations. Seed {found.seed}. Longest time without any acknowledgement: "
        f"{found.longest_silence:.1f} s. {platform.platform()}, Python {platform.python_version()}."
    )
    yield ""
    yield "| Operation | ok | refused | unknown |"
    yield "| --- | ---: | ---: | ---: |"
    for kind, outcomes in sorted(_by_kind(found).items()):
        refused = ", ".join(
            f"{count} {why.removeprefix('refused').strip() or 'other'}"
            for why, count in sorted(outcomes.items())
            if why.startswith("refused")
        )
        yield f"| {kind} | {outcomes.get('ok', 0)} | {refused or 0} | {outcomes.get('unknown', 0)} |"
    yield ""
    yield "| Fault | Target | Times | Recovery, median | longest |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for (kind, target), recoveries in sorted(_by_fault(found).items()):
        yield f"| {kind} | {target} | {len(recoveries)} | {median(recoveries):.1f} s | {max(recoveries):.1f} s |"
    for number, violation in found.broken:
        yield ""
        yield f"- **{violation.rule}**, account {number}: {violation.text} (`{violation.event}`)"


def _by_kind(found: Found) -> dict[str, dict[str, int]]:
    kinds: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (kind, outcome), count in found.operations.items():
        kinds[kind][outcome] = count
    return kinds


def _by_fault(found: Found) -> dict[tuple[str, str], list[float]]:
    faults: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for fault in found.faults:
        target = "+".join(sorted(part.partition(".")[0] for part in fault.target.split("+")))
        faults[fault.kind, target].append(fault.recovery)
    return faults


def _facts(found: Found) -> dict[str, Any]:
    guilty = {number for number, _ in found.broken}
    return {
        "seed": found.seed,
        "seconds": round(found.seconds, 1),
        "accounts": len(found.histories),
        "longest_silence_seconds": round(found.longest_silence, 2),
        "operations": _by_kind(found),
        "faults": [asdict(fault) for fault in found.faults],
        "violations": [
            {"account": number, "rule": each.rule, "text": each.text, "event": repr(each.event)}
            for number, each in found.broken
        ],
        "histories_of_violations": {
            number: [repr(event) for event in found.histories[number]] for number in sorted(guilty)
        },
    }

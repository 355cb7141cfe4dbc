"""The report of a soak: Markdown, and JSON with every reading."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from bench.soak import verdict
from bench.soak.load import Tally
from bench.soak.readings import Reading
from bench.soak.verdict import Slope

_MOST_REFUSED = 0.01


@dataclass(frozen=True)
class Soaked:
    """What a soak found.

    Attributes:
        facts: of the machine.
        seconds: of load, the warm-up aside.
        tally: what was done.
        mails: how many went out by SMTP.
        before: after the warm-up, at rest.
        readings: under load.
        after: at rest again.
        complaints: errors in the logs of the services.
    """

    facts: dict[str, Any]
    seconds: float
    tally: Tally
    mails: int
    before: Reading
    readings: Sequence[Reading]
    after: Reading
    complaints: Sequence[str]

    @property
    def slopes(self) -> list[Slope]:
        """Every series through the second half."""
        return verdict.slopes(self.readings)

    def findings(self) -> list[str]:
        """Return what must not be, one line each."""
        found = [f"{kind}: {count} failed" for kind, count in self.tally.errors.items()]
        if self.tally.refused > _MOST_REFUSED * self.tally.operations():
            found.append(f"{self.tally.refused} refused: the machine has too little room for this load")
        found += [f"{slope.of} rises by {slope.hourly:.1f} an hour" for slope in self.slopes if slope.leaks]
        found += [f"left behind, {line}" for line in verdict.left_behind(self.before, self.after)]
        return found + [f"in a log: {line}" for line in self.complaints]


def write(soaked: Soaked, folder: Path, day: date) -> Path:
    """Write both files, `<day>-soak.md` and `.json`; return the first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{day.isoformat()}-soak.md"
    path.write_text("\n".join(_lines(soaked)) + "\n", encoding="utf-8")
    document = {
        "machine": soaked.facts,
        "seconds": soaked.seconds,
        "findings": soaked.findings(),
        "refused": soaked.tally.refused,
        "operations": soaked.tally.document(),
        "samples": soaked.tally.samples,
        "slopes": [asdict(slope) | {"leaks": slope.leaks} for slope in soaked.slopes],
        "before": asdict(soaked.before),
        "after": asdict(soaked.after),
        "readings": [asdict(reading) for reading in soaked.readings],
    }
    path.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def _lines(soaked: Soaked) -> Iterable[str]:
    facts, done = soaked.facts, soaked.tally.operations()
    yield f"# Soak: {soaked.seconds / 60:.0f} minutes of mixed load\n"
    yield f"- {facts['processor']}, {facts['cores']} cores, {facts['memory_mb']} MB; {facts['system']}"
    yield f"- {done} operations, {done / soaked.seconds:.0f} a second; {soaked.mails} mails by SMTP"
    errors, refused = sum(soaked.tally.errors.values()), soaked.tally.refused
    yield f"- {errors} errors, {refused} refused for the moment; {len(soaked.readings)} readings\n"
    findings = soaked.findings()
    yield "**Nothing grows, nothing failed, nothing is left behind.**" if not findings else "## Findings\n"
    yield from (f"- {finding}" for finding in findings)
    yield "\n## What grows\n"
    yield "A straight line through the second half of each series, and how much it rises in an hour. What has a limit"
    yield "leaks when it rises by more, two standard errors granted.\n"
    yield from _table(
        ("series", "half-time", "end", "an hour", "±", "limit"),
        (
            (s.of, f"{s.first:.1f}", f"{s.last:.1f}", f"{s.hourly:+.1f}", f"{s.spread:.1f}", f"{s.most or ''}")
            for s in soaked.slopes
        ),
    )
    yield "\n## At rest, before the load and after it\n"
    yield from _table(
        ("process", "memory MB", "after", "files", "after", "threads", "after", "tasks", "after"),
        (
            (
                name,
                *(f"{was.memory_mb:.1f}", f"{(now := soaked.after.processes[name]).memory_mb:.1f}"),
                *(f"{was.files}", f"{now.files}", f"{was.threads}", f"{now.threads}"),
                *(("" if tasks is None else f"{tasks}") for tasks in (was.tasks, now.tasks)),
            )
            for name, was in soaked.before.processes.items()
        ),
    )
    yield "\n## Operations\n"
    yield from _table(
        ("operation", "count", "errors", "p50 ms", "p95 ms", "longest ms"),
        (
            (kind, *(f"{each[name]}" for name in ("operations", "errors", "p50", "p95", "most")))
            for kind, each in soaked.tally.document().items()
        ),
    )
    yield from (f"\n    {sample}" for sample in soaked.tally.samples)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"

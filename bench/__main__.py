"""`python -m bench [--quick | --scale]`: installs what is missing, measures, writes the report; prints the figures.

Exit status 1 when a goal is missed by more than the noise, 2 when something does not work. Progress goes to stderr.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench import report
from bench.cache import ROOT
from bench.goals import GOALS
from bench.peers import install
from bench.profile import profile
from bench.results import FULL, QUICK, Extent, Results
from bench.run import Run
from bench.scale import report as scale_report
from bench.scale.run import SIZES
from bench.scale.run import Run as ScaleRun

SCALE_ROUNDS = 3


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Gatepost beside its limits and its peers.")
    parser.add_argument("--quick", action="store_true", help="a small version, under three minutes")
    parser.add_argument("--scale", action="store_true", help="cost with a thousand to ten million users")
    parser.add_argument("--users", type=int, default=SIZES[-1], help="with --scale: no more than so many")
    parser.add_argument("--profile", metavar="WORKLOAD", help="where the microseconds of a workload go, by py-spy")
    parser.add_argument("--install", action="store_true", help="only install what is missing")
    parser.add_argument("--reports", type=Path, default=ROOT / "bench" / "reports", help="where the report goes")
    arguments = parser.parse_args()
    if arguments.scale:
        return _scale(arguments.users, arguments.reports)
    if arguments.profile:
        return _profile(arguments.profile)
    failures = asyncio.run(install.everything(_tell))
    if arguments.install:
        return 2 if failures else 0
    if not shutil.which("wrk"):
        _tell("NO wrk: the load comes from autocannon, which is slow and takes CPU time from what it measures")
    results = _measure(QUICK if arguments.quick else FULL)
    results.remarks += [f"not installed: {failure}" for failure in failures]
    if not shutil.which("wrk"):
        results.remarks.append("wrk is missing; the load came from autocannon")
    path = report.write(results, arguments.reports, datetime.now(UTC).date())
    for verdict in results.verdicts():
        print(verdict.line())
    missed = report.misses(results)
    for miss in missed:
        _tell(f"MISSED {miss}")
    _tell(f"report: {path} ({results.seconds:.0f} s)")
    return 1 if missed else 0


def _measure(extent: Extent) -> Results:
    with _folder() as folder:
        return asyncio.run(Run(extent, folder, _tell)())


def _scale(users: int, reports: Path) -> int:
    if failure := asyncio.run(install.generator(_tell)):
        _tell(f"NOT INSTALLED: {failure}")
        return 2
    sizes = sorted({*(size for size in SIZES if size < users), users})
    with _folder() as folder:
        run = ScaleRun(sizes, seconds=FULL.seconds, rounds=SCALE_ROUNDS, folder=folder, tell=_tell)
        found = asyncio.run(run())
    path = scale_report.write(run, found, reports, datetime.now(UTC).date())
    for line in scale_report.lines(found):
        print(line)
    for miss in (missed := scale_report.misses(found)):
        _tell(f"MISSED {miss}")
    _tell(f"report: {path}")
    return 1 if missed else 0


def _profile(workload: str) -> int:
    if workload not in GOALS:
        _tell(f"no such workload; there are {', '.join(GOALS)}")
        return 2
    try:
        with _folder() as folder:
            lines = asyncio.run(profile(workload, FULL.seconds * 2, folder, _tell))
    except RuntimeError as error:
        _tell(str(error))
        return 2
    print("\n".join(lines))
    return 0


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL of root runs as somebody else, who must pass
        yield folder


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

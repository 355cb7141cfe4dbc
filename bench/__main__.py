"""`python -m bench [--quick]`: installs what is missing, measures, writes the report; one line a workload on stdout.

Exit status 1 when a goal is missed by more than the noise, 2 when something does not work. Progress goes to stderr.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench import report
from bench.cache import ROOT
from bench.peers import install
from bench.results import FULL, QUICK, Extent, Results
from bench.run import Run


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Gatepost beside its limits and its peers.")
    parser.add_argument("--quick", action="store_true", help="a small version, under three minutes")
    parser.add_argument("--install", action="store_true", help="only install what is missing")
    parser.add_argument("--reports", type=Path, default=ROOT / "bench" / "reports", help="where the report goes")
    arguments = parser.parse_args()
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
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL of root runs as somebody else, who must pass
        return asyncio.run(Run(extent, folder, _tell)())


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m bench.soak`: twenty minutes of all kinds of requests, then the report in docs/reports.

GATEPOST_SOAK_SECONDS says how long. Exit status 1 when something grows, failed or is left behind; progress goes to
stderr.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.cache import ROOT
from bench.soak import report
from bench.soak.run import soak

_SECONDS = "1200"


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="bench.soak", description="Put a stack under load and see whether it leaks.")
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("GATEPOST_SOAK_SECONDS", _SECONDS)))
    parser.add_argument("--reports", type=Path, default=ROOT / "docs" / "reports", help="where the report goes")
    arguments = parser.parse_args()
    began = time.monotonic()

    def tell(what: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {what}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="gatepost-soak-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL of root runs as somebody else, who must pass
        soaked = asyncio.run(soak(arguments.seconds, folder, tell))
    path = report.write(soaked, arguments.reports, datetime.now(UTC).date())
    findings = soaked.findings()
    for finding in findings:
        print(finding)
    print(f"{soaked.tally.operations()} operations, {len(findings)} findings: {path}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

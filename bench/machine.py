"""What is measured on: facts that every report names. Reads /proc and runs nothing but `--version`."""

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

_NAMED = ("aiohttp", "uvloop", "grpcio", "protobuf", "asyncpg", "redis", "hiredis", "argon2-cffi", "PyJWT", "msgspec")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def facts() -> dict[str, Any]:
    """Return machine, system, interpreter and the versions that decide the figures."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()} ({_compiler()})",
        "interpreter": "of the system" if sys.base_prefix == "/usr" else "built by itself",
        "generator": _first_line("wrk", "-v"),
        "packages": {name: found for name in _NAMED if (found := _version(name))},
    }


def load_per_core() -> float:
    """Return the load average of the last minute, per core: others at work make figures worthless."""
    return os.getloadavg()[0] / cores()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _compiler() -> str:
    return platform.python_compiler()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _first_line(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return next(iter((done.stdout + done.stderr).splitlines()), "").split(" Copyright")[0]

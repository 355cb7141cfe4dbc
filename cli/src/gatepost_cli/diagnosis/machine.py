"""The machine: Python and packages, the embedded servers' binaries, the data folder, disk space, the clock."""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from gatepost_cli import ports
from gatepost_cli.data_dir import DataDir
from gatepost_cli.diagnosis.finding import Finding, fail, ok, warn
from gatepost_cli.embedded import binaries
from gatepost_cli.errors import CommandFailed

MIB = 1024 * 1024
SCARCE_MIB, TOO_SCARCE_MIB = 1024, 200
OLDEST_AIOHTTP = (3, 14, 4)
OLDEST_TIME = datetime(2025, 1, 1, tzinfo=UTC)  # a machine without a battery starts in 1970
DEFAULT_PORT = 8080
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def look(where: DataDir, *, running: bool, embedded: bool) -> Iterator[Finding]:
    """Yield the findings; `running`: a stack runs in the folder, `embedded`: it brings its own servers."""
    yield _python()
    yield _aiohttp()
    if embedded:
        yield _binary("PostgreSQL's binaries", binaries.postgres_folder)
        yield _binary("Valkey's binary", binaries.valkey_server)
    yield _clock()
    yield from _folder(where)
    yield _disk(where)
    if not running:
        yield _port()


def _python() -> Finding:
    return ok("Python", f"{sys.version.split()[0]}, {sys.executable}")


def _aiohttp() -> Finding:
    try:
        installed = version("aiohttp")
    except PackageNotFoundError:
        return warn("aiohttp", "not installed", "the gateway needs it; install the packages of requirements.lock")
    numbers = tuple(int(part) for part in installed.split(".")[:3] if part.isdigit())
    wanted = ".".join(map(str, OLDEST_AIOHTTP))
    if numbers < OLDEST_AIOHTTP:
        return fail("aiohttp", installed, f"the gateway refuses to run below {wanted}; upgrade it")
    if find_spec("aiohttp._http_parser") is None:
        return fail("aiohttp", f"{installed} without its C parser", "install a wheel that has it")
    return ok("aiohttp", f"{installed} with its C parser")


def _binary(name: str, find: Callable[[], Path]) -> Finding:
    try:
        return ok(name, str(find()))
    except CommandFailed as failure:
        return fail(name, "missing", failure.message)


def _clock() -> Finding:
    now = datetime.now(UTC)
    shown = now.isoformat(timespec="seconds")
    if now < OLDEST_TIME:
        return fail("clock", shown, "set the clock, and keep it with NTP: every lifetime hangs on it")
    return ok("clock", shown)


def _folder(where: DataDir) -> Iterator[Finding]:
    if not where.path.exists():
        yield ok("data folder", f"{where.path} does not exist yet")
        return
    found = where.path.stat()
    mode = stat.S_IMODE(found.st_mode)
    # Root lets PostgreSQL's unprivileged account pass through, and nobody look inside.
    allowed = stat.S_IXGRP if found.st_uid == 0 else 0
    if found.st_uid != os.geteuid():
        yield fail("data folder", f"{where.path} belongs to another account", "run as the account that made it")
    elif mode & OTHERS & ~allowed:
        yield fail("data folder", f"{where.path} has mode {mode:o}", f"chmod 700 {where.path}")
    elif not os.access(where.path, os.R_OK | os.W_OK | os.X_OK):
        yield fail("data folder", f"{where.path} cannot be written", f"chmod u+rwx {where.path}")
    else:
        yield ok("data folder", f"{where.path}, mode {mode:o}")
    if where.secrets.exists():
        mode = stat.S_IMODE(where.secrets.stat().st_mode)
        if mode & OTHERS:
            yield fail("secrets", f"{where.secrets} has mode {mode:o}", f"chmod 600 {where.secrets}, and rotate them")
        else:
            yield ok("secrets", f"{where.secrets}, mode {mode:o}")
    elif (where.postgres / "data").exists():
        yield fail("secrets", f"{where.secrets} is missing", "restore it from a backup: the databases need it")


def _disk(where: DataDir) -> Finding:
    folder = next(path for path in (where.path, *where.path.parents) if path.exists())
    free = shutil.disk_usage(folder).free // MIB
    shown = f"{free} MiB free at {folder}"
    if free < TOO_SCARCE_MIB:
        return fail("disk space", shown, "make room: PostgreSQL stops when the disk is full")
    if free < SCARCE_MIB:
        return warn("disk space", shown, "make room soon")
    return ok("disk space", shown)


def _port() -> Finding:
    try:
        with ports.Ports() as looked_at:
            looked_at.claim(ports.LOOPBACK, DEFAULT_PORT)
    except CommandFailed as failure:
        return warn("port", failure.message, "`gatepost up --port 0` takes a free one")
    return ok("port", f"{DEFAULT_PORT} on {ports.LOOPBACK} is free")

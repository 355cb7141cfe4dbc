"""The two environments that peers are installed in: versions and commands. Asks the cache, installs nothing."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import cache
from bench.peers.peer import NotInstalledError

PROGRAMS = Path(__file__).parent / "programs"


def node_versions(packages: Sequence[str]) -> Mapping[str, str]:
    """Return versions of npm packages.

    Raises:
        NotInstalledError: one is missing.
    """
    folder, found = cache.node_folder() / "node_modules", {}
    for name in packages:
        described = folder / name / "package.json"
        if not described.exists():
            raise NotInstalledError(f"the npm package {name} is not installed")
        found[name] = str(json.loads(described.read_text(encoding="utf-8"))["version"])
    return found


def python_versions(packages: Sequence[str]) -> Mapping[str, str]:
    """Return versions of Python distributions in the peers' environment.

    Raises:
        NotInstalledError: one is missing.
    """
    found = {}
    for name in packages:
        wanted = name.replace("-", "_").lower()
        folders = cache.python_folder().glob("lib/python*/site-packages/*.dist-info")
        versions = [
            folder.name.removesuffix(".dist-info").partition("-")[2]
            for folder in folders
            if folder.name.partition("-")[0].lower() == wanted
        ]
        if not versions:
            raise NotInstalledError(f"the Python distribution {name} is not installed")
        found[name] = versions[0]
    return found


def node_program(name: str, *arguments: str) -> list[str]:
    """Return the command of a program for Node."""
    return [*cache.node(), str(PROGRAMS / name), *arguments]


def python_tool(name: str) -> str:
    """Return the path of a program of the peers' environment."""
    return str(cache.python_folder() / "bin" / name)


def node_environment() -> dict[str, str]:
    """Return what every program for Node is told."""
    return {"PEER_MODULES": str(cache.node_folder() / "node_modules"), "NODE_ENV": "production"}

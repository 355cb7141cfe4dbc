"""Installs the peers, the hashers and the load generator into the cache, by name from their registries, once.

What cannot be installed is told, and reported as missing; nothing here fails the run.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from bench import cache, children

_HERE = Path(__file__).parent
_SECONDS = 600.0
Tell = Callable[[str], None]


async def everything(tell: Tell) -> list[str]:
    """Install what is missing; return what could not be, in words."""
    failures: list[str] = []
    for name, step in (
        ("wrk", _wrk),
        ("peers on Node", _node_packages),
        ("peers on Python", _python_packages),
        ("argon2-cffi built for this processor", _native_argon2),
    ):
        try:
            await step(tell)
        except (RuntimeError, TimeoutError, OSError) as error:
            failures.append(f"{name}: {str(error).strip().splitlines()[-1][:300] if str(error) else 'took too long'}")
            tell(f"NOT INSTALLED: {failures[-1]}")
    return failures


async def generator(tell: Tell) -> str:
    """Install the load generator if it is missing; return why it could not be, in words."""
    try:
        await _wrk(tell)
    except (RuntimeError, TimeoutError, OSError) as error:
        return str(error)
    return ""


async def _wrk(tell: Tell) -> None:
    if shutil.which("wrk"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise RuntimeError("wrk is missing; install it from your distribution (Debian: `apt-get install wrk`)")
    tell("installing wrk")
    await children.run(["apt-get", "update", "-q"], seconds=_SECONDS)
    await children.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "wrk"], seconds=_SECONDS)


async def _node_packages(tell: Tell) -> None:
    folder, wanted = cache.node_folder(), (_HERE / "package.json").read_text(encoding="utf-8")
    stamp = folder / "installed.json"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    if not shutil.which("npm"):
        raise RuntimeError("npm is missing; it installs the peers and Node 22 for them")
    tell("installing the peers on Node (half a minute)")
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text(wanted, encoding="utf-8")
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    await children.run(command, folder=folder, seconds=_SECONDS)
    stamp.write_text(wanted, encoding="utf-8")


async def _python_packages(tell: Tell) -> None:
    folder, lists = cache.python_folder(), sorted(_HERE.glob("*.txt"))
    wanted, stamp = "".join(path.read_text(encoding="utf-8") for path in lists), folder / "installed.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    tell("installing the peers on Python (half a minute)")
    if not (folder / "bin" / "python").exists():
        await children.run([sys.executable, "-m", "venv", str(folder)])
    failures = []
    for path in lists:  # one by one: what fails takes nothing else with it
        try:
            await _pip("-r", str(path))
        except RuntimeError as error:
            failures.append(f"{path.stem}: {error}")
    if failures:
        raise RuntimeError("; ".join(failures))
    stamp.write_text(wanted, encoding="utf-8")


async def _native_argon2(tell: Tell) -> None:
    target = cache.folder() / "argon2"
    if (target / "argon2").is_dir():
        return
    tell("building argon2-cffi for this processor")
    source = ["--no-cache-dir", "--no-deps", "--no-binary", "argon2-cffi-bindings"]
    try:
        await _pip(*source, "--target", str(target), "argon2-cffi", "argon2-cffi-bindings", flags="-O3 -march=native")
    except RuntimeError:
        await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
        raise


async def _pip(*arguments: str, flags: str = "") -> None:
    command = [cache.python(), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-input"]
    await children.run([*command, *arguments], environment={"CFLAGS": flags} if flags else {}, seconds=_SECONDS)

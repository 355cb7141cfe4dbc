"""Lays out the root file system that every image starts from: a Python interpreter, and what that needs.

Run by the Dockerfile as `root_filesystem.py TARGET` inside an image of Debian with Python. Copied are the interpreter,
the standard library without its tests and tools, the shared libraries these load, and the certificate authorities. For
scanners, the Debian packages the libraries come from are recorded where images without a package manager keep them.
"""

# ruff: noqa: INP001  a script of the image build, not a package
import compileall
import os
import py_compile
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

USER_ID = 10001
NOT_SHIPPED = shutil.ignore_patterns(
    *("__pycache__", "site-packages", "dist-packages", "EXTERNALLY-MANAGED", "config-3.*"),
    *("test", "tests", "_test*.so", "_xx*.so", "pydoc_data", "idlelib", "lib2to3", "distutils", "ensurepip", "venv"),
    *("tkinter", "_tkinter.*", "turtle.py", "turtledemo", "curses", "_curses*.so", "readline.*", "nis.*"),
    *("sqlite3", "_sqlite3.*", "dbm", "_dbm.*", "_gdbm.*"),
)
# Wheels load these without the interpreter doing so.
ALSO_LOADED = (
    *("libgcc_s.so.1", "libstdc++.so.6"),
    *("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libm.so.6"),
)
FILES = {
    "etc/passwd": f"root:x:0:0::/:/\ngatepost:x:{USER_ID}:{USER_ID}::/tmp:/\n",
    "etc/group": f"root:x:0:\ngatepost:x:{USER_ID}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def main(target: Path) -> None:
    """Fill the folder `target`."""
    for folder in ("lib", "lib64", "bin", "sbin"):  # Debian's merged /usr, so that every library path leads somewhere
        (target / "usr" / folder).mkdir(parents=True)
        (target / folder).symlink_to(f"usr/{folder}")
    for name, text in FILES.items():
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text(text, encoding="utf-8")
    (target / "tmp").mkdir()
    (target / "tmp").chmod(0o1777)
    copy(target, [Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/os-release")])

    interpreter = Path(sys.executable)
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, inside(target, library), ignore=NOT_SHIPPED, dirs_exist_ok=True)
    compileall.compile_dir(
        inside(target, library),
        quiet=1,
        stripdir=str(target),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    extensions = inside(target, library).rglob("*.so")
    libraries = loaded([interpreter.resolve(), *extensions]) | known(ALSO_LOADED)
    copy(target, [interpreter, interpreter.resolve(), *sorted(libraries)])
    shutil.copy("/etc/ld.so.conf", target / "etc/ld.so.conf")
    shutil.copytree("/etc/ld.so.conf.d", target / "etc/ld.so.conf.d")
    run("ldconfig", "-r", str(target))
    record_packages(target, libraries)


def copy(target: Path, files: Iterable[Path]) -> None:
    """Copy files to the same place under `target`; what a link leads to as well, under its own name."""
    for file in files:
        place = inside(target, file)
        place.parent.mkdir(parents=True, exist_ok=True)
        real = file.resolve()
        if not inside(target, real).exists():
            inside(target, real).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(real, inside(target, real))
        if not place.exists():
            place.symlink_to(os.path.relpath(inside(target, real).resolve(), place.parent.resolve()))


def inside(target: Path, path: Path) -> Path:
    """Return where an absolute path lies under `target`."""
    return target / path.relative_to("/")


def loaded(binaries: Iterable[Path]) -> set[Path]:
    """Return the shared libraries that the loader finds for these binaries, and the loader itself."""
    lines = run("ldd", *map(str, binaries)).splitlines()
    return {Path(word) for line in lines for word in line.split() if word.startswith("/") and not word.endswith(":")}


def known(names: Iterable[str]) -> set[Path]:
    """Return where the loader's cache has libraries; those it does not know are left out."""
    entries = (line.split(" => ") for line in run("ldconfig", "-p").splitlines() if " => " in line)
    places = {entry[0].split()[0]: Path(entry[1]) for entry in entries}
    return {places[name] for name in names if name in places}


def record_packages(target: Path, files: Iterable[Path]) -> None:
    """Write `var/lib/dpkg/status.d/PACKAGE` for each Debian package that a file comes from."""
    status = target / "var/lib/dpkg/status.d"
    status.mkdir(parents=True)
    for file in files:
        package = package_of(file)
        if package:
            text = run("dpkg-query", "--status", package)
            (status / package.partition(":")[0]).write_text(text, encoding="utf-8")


def package_of(file: Path) -> str | None:
    """Return the Debian package a file comes from, with its architecture; None for one that no package brought."""
    real = file.resolve()
    before_usr_was_merged = Path("/", *real.parts[2:])
    for name in (file, real, before_usr_was_merged):
        found = subprocess.run(["dpkg-query", "--search", name], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.partition(": ")[0].partition(",")[0]
    return None


def run(*command: str) -> str:
    """Return what a command writes.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]))

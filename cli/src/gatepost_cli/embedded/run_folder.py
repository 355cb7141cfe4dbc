"""The private folder that holds a server's Unix socket.

`embedded.postgres` and `embedded.valkey` call this. A socket's whole path must fit into about a hundred bytes; when
the data folder's path is too long, a short private folder under the system's temporary folder takes its place, and
the symbolic link `run` in the data folder remembers which one.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from gatepost_cli.account import Account
from gatepost_cli.errors import CommandFailed

LONGEST_BYTES = 88  # sockaddr_un holds 104 (macOS) or 108 bytes, and the longest name is `/.s.PGSQL.5432`
NAME = "run"


def make(folder: Path, account: Account | None) -> Path:
    """Return the run folder of `folder`, mode 0700, owned by `account` (or by us).

    The same one as last time if it is still fit.

    Raises:
        CommandFailed: even the temporary folder's path is too long.
    """
    run = folder / NAME
    if _fits(run):
        if run.is_symlink():
            run.unlink()
        run.mkdir(mode=0o700, exist_ok=True)
    else:
        run = _remembered(run, account) or _temporary(run)
    if account is not None:
        os.chown(run, account.uid, account.gid)
    return run


def remove(folder: Path) -> None:
    """Remove the folder under the system's temporary folder, if there is one."""
    run = folder / NAME
    if run.is_symlink():
        shutil.rmtree(run.readlink(), ignore_errors=True)
        run.unlink()


def _fits(path: Path) -> bool:
    # A comma separates hosts in a DSN, a quotation mark ends a setting.
    return len(os.fsencode(path)) <= LONGEST_BYTES and not set(str(path)) & set(',"')


def _remembered(link: Path, account: Account | None) -> Path | None:
    """Return the link's target if nobody else can have put it there."""
    if not link.is_symlink():
        return None
    target = link.readlink()
    owner = account.uid if account is not None else os.geteuid()
    try:
        found = target.lstat()
    except FileNotFoundError:
        found = None
    if found and stat.S_ISDIR(found.st_mode) and found.st_uid == owner and stat.S_IMODE(found.st_mode) == stat.S_IRWXU:
        return target
    link.unlink()
    return None


def _temporary(link: Path) -> Path:
    target = Path(tempfile.mkdtemp(prefix="gatepost-"))
    if not _fits(target):
        target.rmdir()
        raise CommandFailed(
            f"the path of {link.parent} is too long for a socket, and so is {target}; set TMPDIR to /tmp"
        )
    link.symlink_to(target)
    return target

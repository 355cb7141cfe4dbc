"""The data folder of one stack: what lies where, with which mode, and who may use it.

Layout: `postgres/`, `valkey/`, `media/`, `logs/`, `secrets.json`, `state.json`, `demo.json`, `lock`. `up` creates
and locks it; the other commands only look into it.
"""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from gatepost_cli.account import Account
from gatepost_cli.errors import CommandFailed, writing

VARIABLE = "GATEPOST_DATA_DIR"
DEFAULT = ".gatepost"


@dataclass(frozen=True)
class DataDir:
    """The paths inside a data folder (absolute; it need not exist)."""

    path: Path

    @property
    def postgres(self) -> Path:
        """PostgreSQL's own folder."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """Valkey's own folder."""
        return self.path / "valkey"

    @property
    def media(self) -> Path:
        """Pictures, unless they are kept elsewhere; user-service makes it."""
        return self.path / "media"

    @property
    def logs(self) -> Path:
        """The logs of a detached stack, one file for each process."""
        return self.path / "logs"

    @property
    def secrets(self) -> Path:
        """What was generated at the first start."""
        return self.path / "secrets.json"

    @property
    def state(self) -> Path:
        """What runs now."""
        return self.path / "state.json"

    @property
    def demo(self) -> Path:
        """The demo credentials made at the first start."""
        return self.path / "demo.json"

    @property
    def lock(self) -> Path:
        """Locked by the `up` that uses the folder; holds its process id."""
        return self.path / "lock"


def locate(path: Path | None = None) -> DataDir:
    """Return the data folder: the one given, else GATEPOST_DATA_DIR, else `.gatepost` here."""
    return DataDir((path or Path(os.environ.get(VARIABLE) or DEFAULT)).expanduser().absolute())


def create(data_dir: DataDir, account: Account | None) -> None:
    """Create the folder if it is missing and close it to others.

    Mode 0700. For root it is 0710 with the group of PostgreSQL's unprivileged account, which must pass through it.

    Raises:
        CommandFailed: it belongs to somebody else or cannot be made.
    """
    try:
        data_dir.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if account is None:
            data_dir.path.chmod(0o700)
        else:
            os.chown(data_dir.path, -1, account.gid)
            data_dir.path.chmod(0o710)
        data_dir.logs.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise CommandFailed(f"the data folder {data_dir.path} cannot be used: {error.strerror}") from error


def lock(data_dir: DataDir) -> TextIO:
    """Lock the folder for this process and those forked from it; keep the file open for as long.

    Raises:
        CommandFailed: another `up` uses the folder, or nothing can be written there.
    """
    file = data_dir.lock.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise CommandFailed(
            f"another `gatepost up` (process {holder}) uses {data_dir.path}; "
            "stop it with `gatepost down`, or choose another --data-dir"
        ) from None
    try:
        sign(file)
    except CommandFailed:
        file.close()
        raise
    return file


def sign(file: TextIO) -> None:
    """Write our process id into the lock file.

    Raises:
        CommandFailed: it cannot be written, as on a full disk.
    """
    with writing(Path(file.name)):
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), b"%d\n" % os.getpid())  # unbuffered: what failed is not tried again at the close

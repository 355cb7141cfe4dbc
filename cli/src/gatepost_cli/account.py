"""Which account PostgreSQL runs as: it refuses root, so root lends it an unprivileged account that exists already.

`embedded.postgres` asks. Nothing is created, and no folder's mode is changed: when the account may not enter a
folder on the way to the binaries or the data, the process keeps the one capability that lets it pass (util-linux
`setpriv`).
"""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gatepost_cli.errors import CommandFailed

ACCOUNTS = ("postgres", "nobody")
# The first is enough and cannot write; containers often hold only the second.
CAPABILITIES = ("dac_read_search", "dac_override")


@dataclass(frozen=True)
class Account:
    """An unprivileged account, and the capability it needs to reach its files, if any."""

    name: str
    uid: int
    gid: int
    capability: str | None = None

    def command(self, argv: Sequence[str], death_signal: signal.Signals) -> list[str]:
        """Return the command line that runs `argv` as this account; for a caller that is root.

        `death_signal` is set once more by `setpriv`, because the kernel forgets it when the account changes.
        """
        if self.capability is None:
            return list(argv)
        return [
            shutil.which("setpriv") or "setpriv",
            f"--reuid={self.uid}",
            f"--regid={self.gid}",
            "--clear-groups",
            # PostgreSQL looks for its binary with access(2), which without this asks as if there was no capability.
            "--securebits=+no_setuid_fixup",
            f"--inh-caps=+{self.capability}",
            f"--ambient-caps=+{self.capability}",
            f"--bounding-set=-all,+{self.capability}",
            "--no-new-privs",
            f"--pdeathsig={death_signal.name.removeprefix('SIG')}",
            *argv,
        ]

    def forked(self) -> dict[str, Any]:
        """Return the arguments with which `Popen` changes the account; none when `command` does it."""
        if self.capability is not None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def unprivileged() -> Account | None:
    """Return the account for PostgreSQL, or None when we are no root and it runs as we do.

    Raises:
        CommandFailed: root, and no unprivileged account exists.
    """
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise CommandFailed(
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` for it; "
        "run as an ordinary user, or set GATEPOST_POSTGRES_DSN to a PostgreSQL of your own"
    )


def reaching(account: Account, folders: Sequence[Path]) -> Account:
    """Return the account with whatever capability it needs to enter all of `folders`.

    Raises:
        CommandFailed: it cannot enter them, and `setpriv` is missing or refuses.
    """
    if _enters(account, folders):
        return account
    for capability in CAPABILITIES:
        able = replace(account, capability=capability)
        if _enters(able, folders):
            return able
    shut = next((folder for folder in folders if not _enters(account, [folder])), folders[0])
    raise CommandFailed(
        f"PostgreSQL does not run as root, and the account `{account.name}` may not enter {shut}; install util-linux "
        "(setpriv), or run as an ordinary user, or move to a folder that others may enter, "
        "or set GATEPOST_POSTGRES_DSN to a PostgreSQL of your own"
    )


def _enters(account: Account, folders: Sequence[Path]) -> bool:
    script = 'for folder; do test -x "$folder" || exit 1; done'
    argv = account.command(["/bin/sh", "-c", script, "sh", *map(str, folders)], signal.SIGKILL)
    quiet = subprocess.DEVNULL
    try:
        done = subprocess.run(argv, check=False, cwd="/", stdin=quiet, stdout=quiet, stderr=quiet, **account.forked())
    except OSError:  # no setpriv, or we may not change the account
        return False
    return done.returncode == 0

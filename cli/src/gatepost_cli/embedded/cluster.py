"""Making a PostgreSQL data folder: initdb, who may sign in, and the role that the services use.

`embedded.postgres` calls this once in a data folder's life. Everything happens in a folder of another name, which
becomes the data folder by one rename, so that an interrupted first start leaves nothing that looks like a database.
"""

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping, Sequence
from pathlib import Path

from gatepost_cli.account import Account
from gatepost_cli.errors import CommandFailed

ROLE = "gatepost"
# The superuser has no password, so nobody signs in as it; the services' role is the owner of its databases and no more.
CLIENT_AUTHENTICATION = f"local all {ROLE} scram-sha-256\n"
INITDB = (
    "--username=postgres",
    "--auth=trust",  # replaced by CLIENT_AUTHENTICATION before the first start
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)


async def create(
    data: Path, *, binaries: Path, account: Account | None, environment: Mapping[str, str], password: str, durable: bool
) -> None:
    """Make the data folder `data`, whose role `gatepost` signs in with `password`.

    Raises:
        CommandFailed: initdb or the first statements fail; the last lines of their output are its details.
    """
    making = data.with_name(f"{data.name}.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    _give(making, account)
    sync = () if durable else ("--no-sync",)
    initdb = [str(binaries / "initdb"), f"--pgdata={making}", *INITDB, *sync]
    await _run(initdb, account, environment, b"")
    hba = making / "pg_hba.conf"
    hba.write_text(CLIENT_AUTHENTICATION, encoding="utf-8")
    quoted = password.replace("'", "''")
    # The single-user back end reads one statement a line, and needs no password of a superuser.
    role = f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{quoted}'\n"
    single = [str(binaries / "postgres"), "--single", "-D", str(making), "-c", "log_min_messages=fatal", "postgres"]
    output = await _run(single, account, environment, role.encode())
    if "ERROR" in output:
        raise CommandFailed("PostgreSQL could not make the services' role", output.splitlines()[-5:])
    making.rename(data)


def _give(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid)


async def _run(argv: Sequence[str], account: Account | None, environment: Mapping[str, str], stdin: bytes) -> str:
    command = account.command(argv, signal.SIGINT) if account else argv
    changes = account.forked() if account else {}
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=STDOUT, env=environment, cwd="/", umask=0o077, **changes
    )
    try:
        output = (await process.communicate(stdin))[0].decode(errors="replace")
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise CommandFailed(f"{Path(argv[0]).name} failed", output.splitlines()[-15:])
    return output

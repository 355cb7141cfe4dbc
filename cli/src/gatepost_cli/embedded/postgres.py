"""PostgreSQL from the wheel: a data folder of ours, a private Unix socket, one role with a generated password.

`up` runs `open_cluster(...).program()` under its supervisor; tests call `start`. Its folder holds `data/`
(PostgreSQL's own) and `run/` (the socket). One process at a time may work with a folder: whatever else still runs
in it is ended at the start.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from gatepost_cli import databases, leftovers
from gatepost_cli.account import Account, reaching, unprivileged
from gatepost_cli.embedded import binaries, cluster, run_folder
from gatepost_cli.embedded.server import Server
from gatepost_cli.errors import CommandFailed
from gatepost_cli.program import Program

PORT = 5432  # part of the socket's name only
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "io_method": "sync",
    # Room that is reserved and touched for what no service does: thousands of locks at once, serializable
    # transactions, subscriptions. 3.2 MB.
    "max_locks_per_transaction": "32",
    "max_pred_locks_per_transaction": "10",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
FAST = dict.fromkeys(DURABLE, "off")
# A fast shutdown first, then an immediate one; a postmaster that is gone leaves back ends that notice by themselves.
ESCALATION = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 6.0), (signal.SIGKILL, 3.0))


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A data folder that is ready to be started; made by `open_cluster`."""

    data: Path
    run: Path
    binaries: Path
    account: Account | None
    password: str = field(repr=False)
    databases: tuple[str, ...]
    durable: bool
    max_connections: int
    settings: Mapping[str, str] = field(default_factory=dict)

    def dsn_for(self, database: str) -> str:
        """Return the DSN of a database: complete, with its password, for asyncpg and libpq."""
        role, host = cluster.ROLE, quote(str(self.run), safe="/")
        return f"postgresql://{role}:{quote(self.password, safe='')}@/{database}?host={host}&port={PORT}"

    def program(self) -> Program:
        """Return what runs the server; it is ready when the databases exist."""
        settings = SETTINGS | (DURABLE if self.durable else FAST)
        settings |= {"unix_socket_directories": f'"{self.run}"', "max_connections": str(self.max_connections)}
        settings |= self.settings
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            argv=(str(self.binaries / "postgres"), "-D", str(self.data), *options),
            environment=environment(),
            address=str(self.run),
            account=self.account,
            stop_signal=signal.SIGINT,
            kill_signal=signal.SIGQUIT,
            grace_seconds=15.0,
            prepare=self.prepare,
            ready=self.ready,
        )

    async def prepare(self) -> None:
        """End what still runs in the data folder and remove the locks that it left."""
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return
        await leftovers.end(leftovers.working_in(self.data, "postgres"), ESCALATION)
        for stale in (lock, self.run / f".s.PGSQL.{PORT}.lock", self.run / f".s.PGSQL.{PORT}"):
            stale.unlink(missing_ok=True)

    async def ready(self) -> bool:
        """Tell whether the server accepts connections and all databases exist.

        Raises:
            CommandFailed: it accepts connections but not ours.
        """
        try:
            # The eighth line is the postmaster's state (src/include/utils/pidfile.h).
            state = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[7:8]
        except FileNotFoundError:
            return False
        if not state or state[0].strip() != "ready":
            return False
        # By files: through the server's buffers they would stay there, 10 MB that nobody needs again.
        await databases.ensure(self.dsn_for("postgres"), self.databases, strategy="file_copy")
        return True


async def open_cluster(
    folder: Path,
    *,
    password: str,
    databases: Sequence[str] = databases.DATABASES,
    durable: bool = True,
    max_connections: int = 100,
) -> Cluster:
    """Return the cluster in `folder`, made now if there is none yet.

    Args:
        folder: the server's own folder; created. It, not its parents, changes its mode and group.
        password: of the role `gatepost`; must be the same at every start.
        databases: created when missing.
        durable: False for tests: a crash of the machine may lose everything.
        max_connections: of all services together.

    Raises:
        CommandFailed: no account may run it, a path is unfit, or initdb fails.
    """
    programs = binaries.postgres_folder()
    folder, run, account = _folders(folder, programs)
    data = folder / "data"
    if not data.exists():
        await cluster.create(
            data,
            binaries=programs,
            account=account,
            environment=environment(),
            password=password,
            durable=durable,
        )
    elif account is not None and data.stat().st_uid != account.uid:
        raise CommandFailed(f"{data} belongs to another account than `{account.name}`; run as the one that made it")
    return Cluster(
        data=data,
        run=run,
        binaries=programs,
        account=account,
        password=password,
        databases=tuple(databases),
        durable=durable,
        max_connections=max_connections,
    )


def _folders(folder: Path, programs: Path) -> tuple[Path, Path, Account | None]:
    """Make the server's folders; return them resolved, with the account that can work in them."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = folder.resolve()
    account = unprivileged()
    if account is not None:
        os.chown(folder, 0, account.gid)
        folder.chmod(0o710)
    run = run_folder.make(folder, account)
    return folder, run, account and reaching(account, (programs, folder, run))


def environment() -> dict[str, str]:
    """Return PostgreSQL's environment: none of our secrets, and no PG… variable of the caller's."""
    return {"PATH": os.defpath, "LC_ALL": "C"} | {
        name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ
    }


@dataclass(frozen=True, kw_only=True)
class PostgresServer(Server):
    """A running PostgreSQL that `start` returned."""

    cluster: Cluster

    def dsn_for(self, database: str) -> str:
        """Return the DSN of a database; the role may create further ones."""
        return self.cluster.dsn_for(database)


async def start(
    folder: Path,
    *,
    password: str,
    databases: Sequence[str] = (),
    durable: bool = True,
    max_connections: int = 100,
    settings: Mapping[str, str] | None = None,
) -> PostgresServer:
    """Start PostgreSQL in `folder` and return when it accepts connections; arguments as of `open_cluster`.

    `settings` are further ones of the server's.

    Call it from the main thread. The server stops when this process ends, however it ends.

    Raises:
        CommandFailed: it cannot be made or does not start.
    """
    opened = await open_cluster(
        folder, password=password, databases=databases, durable=durable, max_connections=max_connections
    )
    opened = replace(opened, settings=settings or {})
    return await PostgresServer.launch(opened.program(), folder, cluster=opened)

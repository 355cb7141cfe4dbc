"""Makes an installation of a backup: the use case of `gatepost restore`.

Everything is made ready beside what is there: rows, migrations since, what was taken away since. Then Valkey forgets
what is of before, and the databases are exchanged (`schemas`). Until then nothing of before is touched but the folder
of the pictures, to which files with names of their own are added.
"""

import asyncio
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gatepost_cli import by_hand, console, databases, invariants, private_json
from gatepost_cli.backup import schemas, tables
from gatepost_cli.backup.archive import Reader
from gatepost_cli.backup.installation import Installation
from gatepost_cli.backup.snapshots import connected
from gatepost_cli.backup.tables import Connection, Table
from gatepost_cli.backup.taking import INSTALLATION, PICTURES, SECRETS
from gatepost_cli.data_dir import DataDir
from gatepost_cli.errors import CommandFailed
from gatepost_cli.supervisor.plan import AUTH, NOTIFY, USERS, Kind
from runtime.errors import GatepostError
from runtime.valkey import Valkey

Document = dict[str, Any]
# Events get their numbers before they are committed: some below the highest of the copy may be missing in it.
UNSURE_EVENTS = 10_000


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the operator said.

    Attributes:
        replace: what is there may go.
        deletions: what happened since, as events; None if they are to be found.
        without_history: it is known that what happened since is lost.
        with_pictures: put the pictures of the backup in place.
    """

    replace: bool
    deletions: Path | None
    without_history: bool
    with_pictures: bool


def install_secrets(backup: Reader, where: DataDir) -> None:
    """Give a data folder without secrets those of the backup, before anything is made there with others.

    Raises:
        CommandFailed: nobody has the master key, without which the copy cannot be served.
    """
    if where.secrets.exists() or any(os.environ.get(name) for name in by_hand.MASTER_KEYS):
        return
    if not backup.has(SECRETS):
        raise CommandFailed(
            f"the master key is missing, with which the token keys of the backup are sealed: put the secrets.json of "
            f"that time into {where.path}, or set GATEPOST_MASTER_KEY"
        )
    if (where.postgres / "data").exists():
        raise CommandFailed(f"{where.path} has databases but no secrets.json; restore into another folder")
    where.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    private_json.write(where.secrets, json.loads(backup.read(SECRETS)), durable=True)


async def restore(backup: Reader, installation: Installation, wish: Wish) -> Document:
    """Put the backup in place of what the installation has; return what was done.

    Raises:
        CommandFailed: it cannot or must not be; then what was there is there, or see `schemas`.
    """
    async with AsyncExitStack() as ending:
        connections = {name: await connected(dsn, ending) for name, dsn in installation.dsns.items()}
        for name, connection in connections.items():
            await schemas.require_rest(name, connection)
        source = await _source(connections["auth"], backup, wish)
        kinds = (AUTH, USERS, NOTIFY)
        loading = (_loaded(backup, kind, connections[kind.word], installation) for kind in kinds)
        migrated = dict(zip((kind.word for kind in kinds), await asyncio.gather(*loading), strict=True))
        pictures = _put_pictures(backup, installation) if wish.with_pictures and backup.manifest["pictures"] else None
        console.progress("ending sessions, and taking away again what was taken away since the backup")
        settled = _settled(backup, installation, source, wish)
        for connection in connections.values():
            await connection.execute(f"SET search_path = {schemas.COMING}")
            await connection.execute("ANALYZE")
        violations = await invariants.violations(connections)
        await _forget_codes(installation)
        console.progress("exchanging the databases")
        await schemas.swap(connections)
    if wish.with_pictures:
        env = by_hand.environment(USERS, installation.dsns["users"], installation.where)
        by_hand.run(USERS, ["keep"], env)
    return {
        "created_at": backup.manifest["created_at"],
        "gatepost": backup.manifest["gatepost"],
        "rows": {name: sum(t["rows"] for t in each["tables"].values()) for name, each in _databases(backup).items()},
        "migrated": migrated,
        "history": "none" if source is None else "the file" if wish.deletions else "the installation replaced",
        "settled": settled,
        "pictures_without_file": pictures,
        "invariants": {"ok": not violations, "violations": violations},
    }


async def _source(auth: Connection, backup: Reader, wish: Wish) -> str | None:
    """Return the schema whose history is told (or "" for the file's); None if it is lost and that is accepted.

    Raises:
        CommandFailed: something is there that is not to be replaced, or nothing says what happened since.
    """
    before = schemas.LIVE if await schemas.there(auth, schemas.LIVE) else schemas.REPLACED
    empty = await schemas.is_empty(auth, before, "projects")
    if not empty and not wish.replace:
        raise CommandFailed("there is an installation already; --replace puts the backup in its place")
    if wish.deletions is not None:
        return ""
    if not empty:
        await auth.execute(f"SET search_path = {before}")
        same = await auth.fetchval(INSTALLATION) == backup.manifest["installation"]
        await auth.execute("RESET search_path")
        if same:
            return before
    if wish.without_history:
        return None
    raise CommandFailed(
        "nothing here knows what happened after the backup was made: users deleted since then would be back, with what "
        "was revoked, disabled or changed. Give the events since then with --deletions FILE (as `gatepost audit "
        "export` writes them), or accept that with --accept-missing-history",
        facts={"backup_of": backup.manifest["created_at"]},
    )


async def _loaded(backup: Reader, kind: Kind, connection: Connection, installation: Installation) -> list[str]:
    """Make tables as they were, fill them, and bring them up to date; return the migrations that they lacked."""
    wanted: Document = _databases(backup)[kind.word]
    env = _environment(kind, installation)
    await schemas.begin(connection)
    version = len(wanted["migrations"])
    logged = await asyncio.to_thread(by_hand.run, kind, ["migrate", str(version)], env)
    await connection.execute(f"SET search_path = {schemas.COMING}")
    if await tables.migrations(connection) != wanted["migrations"]:
        raise CommandFailed(f"the tables of the backup's database {kind.word} were not made by releases of Gatepost")
    known = {table.name: table for table in await tables.found(connection)}
    if unknown := wanted["tables"].keys() - known.keys():
        raise CommandFailed(f"the backup's database {kind.word} has tables that nobody knows: {', '.join(unknown)}")
    for name in known:
        if name not in wanted["tables"]:
            continue
        table = Table(name, wanted["tables"][name]["columns"])
        parts = (content for _, content in backup.below(f"{kind.word}/{name}"))
        rows = await tables.copy_in(connection, table, schemas.COMING, parts)
        if rows != wanted["tables"][name]["rows"]:
            raise CommandFailed(f"{name} has {rows} rows, not {wanted['tables'][name]['rows']}")
    await tables.number_on(connection)
    await connection.execute("RESET search_path")
    console.progress(f"loaded the database {kind.word}")
    if any(entry.get("newest") == version for entry in logged):
        return []
    applied = await asyncio.to_thread(by_hand.run, kind, ["migrate"], env)
    return [entry["migration"] for entry in applied if entry.get("event") == "migration applied"]


def _settled(backup: Reader, installation: Installation, source: str | None, wish: Wish) -> Document:
    env = _environment(AUTH, installation)
    with ExitStack() as ending:
        lines: int | IO[bytes] = subprocess.DEVNULL
        if wish.deletions is not None:
            try:
                lines = ending.enter_context(wish.deletions.open("rb"))
            except OSError as error:
                raise CommandFailed(f"{wish.deletions} cannot be read: {error.strerror}") from error
        elif source is not None:
            since = max(0, backup.manifest["mark"]["event_id"] - UNSURE_EVENTS)
            dsn = databases.in_schema(installation.dsns["auth"], source)
            told = by_hand.environment(AUTH, dsn, installation.where)
            lines = ending.enter_context(by_hand.giving(AUTH, ["history", str(since)], told, subprocess.DEVNULL))
        answers = by_hand.run(AUTH, ["restored"], env, lines)
    return next(answer["settled"] for answer in answers if "settled" in answer)


def _put_pictures(backup: Reader, installation: Installation) -> int:
    """Put the files in place; return how many pictures have none, which nothing points to any more."""
    with tempfile.TemporaryFile() as answer:
        with (
            by_hand.taking(USERS, ["write"], _environment(USERS, installation), answer) as stream,
            tarfile.open(fileobj=stream, mode="w|") as tar,
        ):
            for name, content in backup.below(PICTURES):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        answer.seek(0)
        return int(by_hand.documents(answer.read())[-1]["without_file"])


async def _forget_codes(installation: Installation) -> None:
    """Empty Valkey: codes, challenges and windows of before mean nothing any more."""
    if installation.valkey_url is None:
        await asyncio.to_thread(shutil.rmtree, installation.where.valkey / "data", ignore_errors=True)
        return
    try:
        valkey = Valkey.connect(installation.valkey_url)
    except ValueError as error:
        raise CommandFailed(f"GATEPOST_VALKEY_URL: {error}") from error
    try:
        await valkey.command("FLUSHDB")
    except GatepostError as error:
        raise CommandFailed("Valkey cannot be reached, and must forget the codes of before") from error
    finally:
        await valkey.close()


def _environment(kind: Kind, installation: Installation) -> dict[str, str]:
    dsn = databases.in_schema(installation.dsns[kind.word], schemas.COMING)
    return by_hand.environment(kind, dsn, installation.where)


def _databases(backup: Reader) -> Mapping[str, Document]:
    found: Mapping[str, Document] = backup.manifest["databases"]
    return found

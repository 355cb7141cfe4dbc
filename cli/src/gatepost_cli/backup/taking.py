"""Takes a backup while everything runs: the use case of `gatepost backup`."""

import tarfile
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gatepost_cli import by_hand, console
from gatepost_cli.backup import archive, snapshots, tables
from gatepost_cli.backup.tables import Connection
from gatepost_cli.data_dir import DataDir
from gatepost_cli.errors import CommandFailed, writing
from gatepost_cli.supervisor.plan import USERS

Document = dict[str, Any]
SECRETS = "secrets.json"
PICTURES = "pictures"
_IDS = "SELECT id FROM pictures WHERE state = 'used' ORDER BY id"
_MARK = "SELECT coalesce(max(id), 0) FROM audit_events"
# The project that is made at the first start has an id that no other installation has.
INSTALLATION = "SELECT id::text FROM projects ORDER BY created_at, id LIMIT 1"


async def take(
    path: Path, where: DataDir, dsns: Mapping[str, str], *, with_pictures: bool, with_secrets: bool
) -> Document:
    """Write a backup of the databases and what belongs to them to `path`; return what is in it.

    Raises:
        CommandFailed: something cannot be read, or the file cannot be written.
    """
    if with_secrets and not where.secrets.exists():
        raise CommandFailed(f"there is no {where.secrets}: where the master key comes from elsewhere, keep it there")
    with writing(path):
        with archive.writing(path) as writer:
            async with snapshots.held(dsns) as moment:
                now = datetime.now(UTC)
                mark = await moment["auth"].fetchval(_MARK)
                installation = await moment["auth"].fetchval(INSTALLATION)
                copied = {name: await _database(writer, name, connection) for name, connection in moment.items()}
                pictures = await _pictures(writer, moment["users"], where, dsns) if with_pictures else None
            if with_secrets:
                writer.add(SECRETS, where.secrets.read_bytes())
            manifest = {
                "format": archive.FORMAT,
                "gatepost": version("gatepost-cli"),
                "created_at": now.isoformat(),
                "installation": installation,
                "mark": {"event_id": mark, "time": now.isoformat()},
                "databases": copied,
                "pictures": pictures,
                "secrets": with_secrets,
            }
            writer.finish(manifest)
        size = path.stat().st_size  # noqa: ASYNC240 nothing else is at work
    return {
        "file": str(path),
        "bytes": size,
        "created_at": manifest["created_at"],
        "gatepost": manifest["gatepost"],
        "mark": manifest["mark"],
        "databases": {
            name: {"schema": len(each["migrations"]), "rows": tables.counted(_rows(each))}
            for name, each in copied.items()
        },
        "pictures": pictures,
        "secrets": with_secrets,
        "note": _note(with_pictures=with_pictures, with_secrets=with_secrets),
    }


async def _database(writer: archive.Writer, name: str, connection: Connection) -> Document:
    copied: dict[str, Document] = {}
    for table in await tables.found(connection):
        folder, number = f"{name}/{table.name}", 0

        def take(folder: str, content: bytes) -> None:
            nonlocal number
            number += 1
            writer.add(archive.part(folder, number), content)

        rows = await tables.copy_out(connection, table, partial(take, folder))
        copied[table.name] = {"columns": list(table.columns), "rows": rows}
    console.progress(f"copied {tables.counted(_rows({'tables': copied}))} rows of the database {name}")
    return {"migrations": await tables.migrations(connection), "tables": copied}


async def _pictures(writer: archive.Writer, users: Connection, where: DataDir, dsns: Mapping[str, str]) -> Document:
    """Copy the files of the pictures that the snapshot's rows name; those of one replaced meanwhile may be gone."""
    files, size, whole = 0, 0, 0
    with tempfile.TemporaryFile() as ids:
        await users.copy_from_query(_IDS, output=ids)
        ids.seek(0)
        env = by_hand.environment(USERS, dsns["users"], where)
        try:
            with by_hand.giving(USERS, ["read"], env, ids) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
                for member in tar:
                    content = tar.extractfile(member)
                    if content is not None:
                        writer.add(f"{PICTURES}/{member.name}", content.read())
                        files, size, whole = files + 1, size + member.size, whole + member.name.endswith("/whole")
        except tarfile.TarError as error:
            raise CommandFailed("user-service cannot read the pictures; it says why above") from error
        ids.seek(0)
        wanted = sum(1 for _ in ids)
    return {"pictures": whole, "files": files, "bytes": size, "replaced_meanwhile": wanted - whole}


def _rows(copied: Document) -> dict[str, int]:
    return {name: table["rows"] for name, table in copied["tables"].items()}


def _note(*, with_pictures: bool, with_secrets: bool) -> str:
    parts = [
        "It holds the master key: whoever has it has everything."
        if with_secrets
        else "It cannot be restored without the master key, which is not in it: keep secrets.json, or what "
        "GATEPOST_MASTER_KEY says, elsewhere."
    ]
    if not with_pictures:
        parts.append("The pictures are not in it.")
    return " ".join(parts)

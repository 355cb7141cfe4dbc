"""The secrets of a stack, generated once: service key, master key, passwords of the embedded servers.

`up` reads them; they stay in `secrets.json` (mode 0600) because everything encrypted or hashed with them becomes
worthless when they change. A backup of the databases without this file cannot be used.
"""

import base64
import secrets
from dataclasses import asdict, dataclass, field

from gatepost_cli import private_json
from gatepost_cli.data_dir import DataDir
from gatepost_cli.errors import CommandFailed

MASTER_KEY_BYTES = 32


@dataclass(frozen=True)
class Secrets:
    """What the data folder's owner alone may know.

    Attributes:
        service_keys: sign and verify calls between services; the first signs.
        master_key: 32 bytes, base64 (URL-safe alphabet, padded); encrypts what auth-service keeps.
        postgres_password: of the embedded PostgreSQL's role.
        valkey_password: of the embedded Valkey.
    """

    service_keys: tuple[str, ...] = field(repr=False)
    master_key: str = field(repr=False)
    postgres_password: str = field(repr=False)
    valkey_password: str = field(repr=False)


def load(data_dir: DataDir) -> Secrets:
    """Return the folder's secrets, generated now if there are none.

    Raises:
        CommandFailed: the file is damaged, or missing although there are data.
    """
    document = private_json.read(data_dir.secrets)
    if document is not None:
        try:
            return Secrets(**(document | {"service_keys": tuple(document["service_keys"])}))
        except (KeyError, TypeError):
            raise _unusable(data_dir, "is damaged") from None
    if data_dir.secrets.exists():
        raise _unusable(data_dir, "is damaged")
    if (data_dir.postgres / "data").exists():
        raise _unusable(data_dir, "is missing")
    generated = Secrets(
        service_keys=(secrets.token_urlsafe(48),),
        master_key=base64.urlsafe_b64encode(secrets.token_bytes(MASTER_KEY_BYTES)).decode(),
        postgres_password=secrets.token_urlsafe(24),
        valkey_password=secrets.token_urlsafe(24),
    )
    private_json.write(data_dir.secrets, asdict(generated), durable=True)
    return generated


def _unusable(data_dir: DataDir, what: str) -> CommandFailed:
    return CommandFailed(
        f"{data_dir.secrets} {what}; restore it from a backup, or remove {data_dir.path} to start with empty databases"
    )

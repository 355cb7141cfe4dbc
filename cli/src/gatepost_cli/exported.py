"""Files of `gatepost audit export`: written as they come, and checked against the keys that auth-service publishes.

A file is JSON Lines. Its last line is a JWS of the SHA-256 of all bytes above, with that payload left out (RFC 7515,
appendix F), by ES256. No more than a line of a file is in memory.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from jwt import PyJWKSet, PyJWS
from jwt.exceptions import PyJWTError

from gatepost_cli import private_file
from gatepost_cli.errors import CommandFailed, writing

KIND = "gatepost-audit+jws"
ALGORITHMS = ["ES256"]
LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Signed:
    """What a file says of itself, and who signed it."""

    events: int
    key: str
    export: dict[str, Any]


async def write(path: Path, chunks: AsyncIterable[bytes]) -> None:
    """Write a file that only its owner can read.

    Raises:
        CommandFailed: it cannot be written.
    """
    with writing(path), private_file.replacing(path) as file:
        async for chunk in chunks:
            file.write(chunk)


def check(path: Path, key_set: str) -> Signed:
    """Return who signed a file.

    Raises:
        CommandFailed: it is not whole, was changed, or was signed by none of the keys.
    """
    hashed, events = sha256(), 0
    above, last = b"", b""
    try:
        with path.open("rb") as file:
            while line := file.readline(LONGEST_LINE):
                hashed.update(last)
                events += bool(last)
                above, last = last, line
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}") from error
    jws, export = _member(last, "jws"), _member(above, "export")
    if not isinstance(jws, str) or not isinstance(export, dict):
        raise CommandFailed(f"{path} does not end with a signature: it is not whole, or no exported trail")
    key = _signer(path, jws, hashed.digest(), key_set)
    return Signed(events - 1, key, export)


def _signer(path: Path, jws: str, payload: bytes, key_set: str) -> str:
    try:
        keys = {key.key_id: key for key in PyJWKSet.from_json(key_set).keys}
    except (AttributeError, PyJWTError, RecursionError, TypeError, ValueError) as error:  # what is no set in any way
        raise CommandFailed(f"the key set cannot be used: {error}") from error
    try:
        head, empty, signature = jws.split(".")
        kid = PyJWS().get_unverified_header(jws).get("kid", "")
        if empty or kid not in keys:
            raise CommandFailed(f"{path} is signed by a key that is not published: revoked, dropped or never ours")
        whole = f"{head}.{urlsafe_b64encode(payload).rstrip(b'=').decode()}.{signature}"
        found = PyJWS().decode_complete(whole, keys[kid], algorithms=ALGORITHMS)
    except (PyJWTError, ValueError) as error:
        raise CommandFailed(f"{path} is not what was signed: {error}") from error
    if found["header"].get("typ") != KIND:
        raise CommandFailed(f"{path} carries a signature of something else")
    return str(kid)


def _member(line: bytes, name: str) -> object:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return document.get(name) if isinstance(document, dict) and line.endswith(b"\n") else None

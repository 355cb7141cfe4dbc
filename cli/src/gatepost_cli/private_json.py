"""JSON documents that nobody else may read, of which a reader never sees half.

`secrets_file`, `state` and `demo` use this.
"""

import json
from pathlib import Path
from typing import Any

from gatepost_cli import private_file
from gatepost_cli.errors import writing


def write(path: Path, document: Any, *, durable: bool = False) -> None:
    """Write the document; `durable` is for what cannot be made again.

    Raises:
        CommandFailed: it cannot be written; what was there is there.
    """
    with writing(path), private_file.replacing(path, durable=durable) as file:
        file.write(json.dumps(document, indent=2).encode() + b"\n")


def read(path: Path) -> dict[str, Any] | None:
    """Return the document, or None when there is none or it is no JSON object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None

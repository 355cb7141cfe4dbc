"""JSON documents that nobody else may read, replaced as a whole so that a reader never sees half of one.

`secrets_file`, `state` and `demo` use this.
"""

import json
import os
from pathlib import Path
from typing import Any


def write(path: Path, document: Any, *, durable: bool = False) -> None:
    """Write the document with mode 0600, by rename; `durable` when it must survive a power cut."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
        if durable:
            file.flush()
            os.fsync(file.fileno())
    new.replace(path)


def read(path: Path) -> dict[str, Any] | None:
    """Return the document, or None when there is none or it is no JSON object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return document if isinstance(document, dict) else None

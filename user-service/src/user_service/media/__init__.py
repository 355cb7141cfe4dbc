"""Where the files of pictures are kept: a folder, or a bucket that speaks S3. `pictures` calls whichever it is given.

A key is `<id>/<size>`: 32 lower-case hex digits, and a word. It is written once, with content that never changes.
"""

import re
from typing import Protocol

from runtime.errors import GatepostError, Reason
from runtime.logs import get_logger

_KEY = re.compile(r"[0-9a-f]{32}/[a-z]{1,20}")
_RETRY_SECONDS = 1.0


class Media(Protocol):
    """Something that keeps bytes by key. Every method raises GatepostError UNAVAILABLE when it cannot do it now."""

    async def put(self, key: str, content: bytes) -> None:
        """Keep the content; when this returns, it is there whatever process dies. Cut off, it leaves all or nothing."""

    async def get(self, key: str) -> bytes | None:
        """Return the content; None when there is none."""

    async def delete(self, key: str) -> None:
        """Delete the content, and what a `put` that was cut off left of it; no error when there is none."""

    async def close(self) -> None:
        """Let go of what it holds open."""


def checked(key: str) -> str:
    """Return the key.

    Raises:
        ValueError: It is none, so it may not become part of a path.
    """
    if not _KEY.fullmatch(key):
        raise ValueError("no key of a picture's file")
    return key


def unavailable(error: BaseException, code: str = "") -> GatepostError:
    """Build the error for a store that fails, and log why."""
    get_logger().warning("media unavailable", error=type(error).__name__, code=code)
    return GatepostError(Reason.UNAVAILABLE, "the store of pictures is unavailable", retry_after_seconds=_RETRY_SECONDS)

"""Times as programs read them, in UTC: what dialects write of a Timestamp. Pages have `pages.times` for people.

Composed, since strftime and Timestamp.ToDatetime take 4 µs, and a profile has a time or two: this takes 0.7 µs.
"""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

_TO_THE_SECOND = len("2026-01-31 23:59:59")


def second(moment: Timestamp) -> str:
    """Return such as `2026-01-31 23:59:59`."""
    return datetime.fromtimestamp(moment.seconds, UTC).isoformat(" ")[:_TO_THE_SECOND]


def microsecond(moment: Timestamp) -> str:
    """Return such as `2026-01-31T23:59:59.123456Z` (RFC 3339)."""
    whole = datetime.fromtimestamp(moment.seconds, UTC).isoformat()[:_TO_THE_SECOND]
    return f"{whole}.{moment.nanos // 1000:06}Z"

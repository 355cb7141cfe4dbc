"""Times as people read them, in the language of the request at hand. Pages show them; machines get ISO 8601 beside."""

from datetime import UTC, date, datetime

from babel.dates import format_date, format_time, format_timedelta
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.web.locale import language


def day(then: Timestamp | date) -> str:
    """Return the day, such as `3 March 2026`, in UTC."""
    return format_date(then.ToDatetime(UTC) if isinstance(then, Timestamp) else then, "long", locale=language())


def moment(then: Timestamp) -> str:
    """Return day, hour and minute, in UTC and saying so."""
    at = then.ToDatetime(UTC)
    return f"{format_date(at, 'medium', locale=language())}, {format_time(at, 'short', locale=language())} UTC"


def ago(then: Timestamp, now: datetime) -> str:
    """Return how long ago it was, such as `3 minutes ago`."""
    return format_timedelta(then.ToDatetime(UTC) - now, add_direction=True, locale=language())

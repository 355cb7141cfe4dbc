"""Values that both services read and write."""

from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from runtime.errors import invalid


def parse_uuid(field: str, value: str) -> UUID:
    """Read a UUID.

    Raises:
        GatepostError: INVALID_PARAMETER naming the field.
    """
    try:
        return UUID(value)
    except ValueError:
        raise invalid(field, f"The {field} must be a UUID.") from None


def parse_time(field: str, value: Timestamp) -> datetime:
    """Read a moment.

    Raises:
        GatepostError: INVALID_PARAMETER naming the field.
    """
    try:
        return value.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise invalid(field, f"The {field} must be a time that there is.") from None


def timestamp(at: datetime | None) -> Timestamp | None:
    """Write a moment; None leaves the field absent."""
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp

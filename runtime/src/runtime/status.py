"""Errors on the wire between services: GatepostError <-> google.rpc.Status in gRPC's trailing metadata.

Called by `grpc_server` (encode) and `grpc_client` (decode). An unknown reason from a newer peer is an internal error.
"""

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from runtime.errors import STATUS, GatepostError, Reason, Rule, Violation

DOMAIN = "gatepost"
DETAILS_KEY = "grpc-status-details-bin"
_MAX_MESSAGE_CHARS = 300  # it is sent twice, and all trailing metadata together may have 8 KiB


def encode(error: GatepostError) -> tuple[grpc.StatusCode, str, bytes]:
    """Return status code, message and the serialised google.rpc.Status for the trailing metadata."""
    code = STATUS[error.reason]
    details = [error_details_pb2.ErrorInfo(reason=error.reason.name, domain=DOMAIN, metadata=error.metadata)]
    packed = [_pack(detail) for detail in details]
    if error.violations:
        fields = [
            error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description, reason=v.rule.name)
            for v in error.violations
        ]
        packed.append(_pack(error_details_pb2.BadRequest(field_violations=fields)))
    if error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(error.retry_after_seconds * 1000))
        packed.append(_pack(error_details_pb2.RetryInfo(retry_delay=delay)))
    message = error.message[:_MAX_MESSAGE_CHARS]
    status = status_pb2.Status(code=code.value[0], message=message, details=packed)
    return code, message, status.SerializeToString()


def decode(code: grpc.StatusCode, details: bytes | None) -> GatepostError:
    """Rebuild the error of a failed call; without readable details, from the status code alone."""
    if details is None:
        return _from_code(code)
    try:
        return _from_status(status_pb2.Status.FromString(details))
    except (DecodeError, KeyError):
        return GatepostError(Reason.INTERNAL)


def details_of(exc: grpc.aio.AioRpcError) -> bytes | None:
    """Return the serialised google.rpc.Status that a failed call brought, if any."""
    for key, value in exc.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return value
    return None


def _pack(
    message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _from_status(status: status_pb2.Status) -> GatepostError:
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    retry_after: float | None = None
    for detail in status.details:
        if detail.Is(retry.DESCRIPTOR):
            detail.Unpack(retry)
            retry_after = retry.retry_delay.ToMilliseconds() / 1000
        elif detail.Is(bad_request.DESCRIPTOR):
            detail.Unpack(bad_request)
        elif detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
    return GatepostError(
        Reason[info.reason],
        status.message,
        violations=tuple(Violation(v.field, Rule[v.reason], v.description) for v in bad_request.field_violations),
        retry_after_seconds=retry_after,
        metadata=info.metadata,
    )


def _from_code(code: grpc.StatusCode) -> GatepostError:
    if code is grpc.StatusCode.UNAVAILABLE:
        return GatepostError(Reason.UNAVAILABLE, retry_after_seconds=1)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return GatepostError(Reason.DEADLINE_EXCEEDED, retry_after_seconds=1)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return GatepostError(Reason.OVERLOADED, retry_after_seconds=1)
    return GatepostError(Reason.INTERNAL)

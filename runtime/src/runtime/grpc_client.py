"""Channels to other services: credential, request id and deadline go along, errors come back as GatepostError."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import grpc

from runtime import status
from runtime.context import current
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason
from runtime.tls import Tls

# The inner service is given a little less time than we have, so that it reports the timeout and we pass it on.
_SHAVE = 0.95
_DEFAULT_TIMEOUT_SECONDS = 10.0
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.enable_retries", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
]


def connect(target: str, *, issuer: str, audience: str, keys: ServiceKeys, tls: Tls | None = None) -> grpc.aio.Channel:
    """Return a channel that connects when first used and again by itself when it breaks.

    Args:
        target: gRPC target: `host:port`, `ipv4:a:p,b:p` (balanced), `dns:///name:port` (balanced), `unix:/path`.
        issuer: Name of the calling service.
        audience: Name of the called service.
        keys: Sign the credential.
        tls: Certificate to show and authority to check against, when mutual TLS is on.
    """
    interceptors: list[grpc.aio.ClientInterceptor] = [_Caller(issuer, audience, keys)]
    if tls is None:
        return grpc.aio.insecure_channel(target, options=_OPTIONS, interceptors=interceptors)
    options = [*_OPTIONS, *_checked_name(target)]
    return grpc.aio.secure_channel(target, tls.channel_credentials(), options=options, interceptors=interceptors)


def _checked_name(target: str) -> list[tuple[str, Any]]:
    """Name the host that certificates are checked for, where gRPC would take a whole list of addresses for one.

    All instances of a list are checked for the host of the first; with `dns:///` they are checked for the name.
    """
    scheme, _, addresses = target.partition(":")
    if scheme not in {"ipv4", "ipv6"} or "," not in addresses:
        return []
    return [("grpc.default_authority", addresses.partition(",")[0].rpartition(":")[0].strip("[]"))]


class _Caller(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, issuer: str, audience: str, keys: ServiceKeys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Attach what goes along, await the answer, raise GatepostError on failure."""
        context = current()
        metadata = grpc.aio.Metadata(
            ("authorization", f"Bearer {self._keys.mint(self._issuer, self._audience)}"),
            ("gatepost-request-id", context.request_id),
            ("gatepost-client-address", context.client_address),
            ("gatepost-user-agent", quote(context.user_agent)),
            ("gatepost-language", context.language),
            ("gatepost-dialect", context.dialect),
        )
        remaining = context.remaining_seconds()
        timeout = _DEFAULT_TIMEOUT_SECONDS if remaining is None else remaining * _SHAVE
        if client_call_details.timeout is not None:
            timeout = min(timeout, client_call_details.timeout)
        if timeout <= 0:
            raise GatepostError(Reason.DEADLINE_EXCEEDED, retry_after_seconds=1)
        details = grpc.aio.ClientCallDetails(
            method=client_call_details.method,
            timeout=timeout,
            metadata=metadata,
            credentials=client_call_details.credentials,
            wait_for_ready=client_call_details.wait_for_ready,
        )
        call = await continuation(details, request)
        try:
            return await call
        except grpc.aio.AioRpcError as exc:
            raise _decode(exc) from None


def _decode(exc: grpc.aio.AioRpcError) -> GatepostError:
    for key, value in exc.trailing_metadata() or ():
        if key == status.DETAILS_KEY and isinstance(value, bytes):
            return status.decode(exc.code(), value)
    return status.decode(exc.code(), None)

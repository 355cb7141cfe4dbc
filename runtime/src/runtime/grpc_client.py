"""Channels to other services: credential, request id and deadline go along, errors come back as GatepostError."""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import grpc

from runtime import status
from runtime.calls_channel import CallChannel
from runtime.context import current
from runtime.credentials import Metadata, ServiceKeys
from runtime.deadlines import allowed_seconds
from runtime.tls import Tls

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.enable_retries", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),  # what an attempt to connect may take; a busy machine needs more than 100
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A connection on which nothing comes any more is given up after three seconds, and all calls on it fail.
    ("grpc.keepalive_time_ms", 1000),
    ("grpc.keepalive_timeout_ms", 2000),
    ("grpc.http2.ping_timeout_ms", 2000),  # without it keep-alive waits a minute for its ping's answer
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),  # as many as it takes
]
_IN_PROCESS = "inprocess:"
_STREAMS_TO_A_NAME = 4  # how many instances a name stands for is not known here


def connect(
    target: str, *, issuer: str, audience: str, keys: ServiceKeys, tls: Tls | None = None, coalescing: bool = False
) -> grpc.aio.Channel:
    """Return a channel that connects when first used and again by itself when it breaks.

    Args:
        target: gRPC target: `host:port`, `ipv4:a:p,b:p` (balanced), `dns:///name:port` (balanced), `unix:/path`; or
            `inprocess:auth-service` for a server of this process, now or later.
        issuer: Name of the calling service.
        audience: Name of the called service.
        keys: Sign the credential.
        tls: Certificate to show and authority to check against, when mutual TLS is on.
        coalescing: Whether calls that are made at the same time go together.
    """
    if target.startswith(_IN_PROCESS):
        from runtime import calls_local, in_process  # noqa: PLC0415  the command does without what they import

        return calls_local.LocalChannel(partial(in_process.serving, target.removeprefix(_IN_PROCESS)), issuer)
    caller = _Caller(issuer, audience, keys)
    options = _OPTIONS if tls is None else [*_OPTIONS, *_checked_name(target)]

    def plain(to: str) -> grpc.aio.Channel:
        if tls is None:
            return grpc.aio.insecure_channel(to, options=options, interceptors=[caller])
        return grpc.aio.secure_channel(to, tls.channel_credentials(), options=options, interceptors=[caller])

    whole = plain(target)
    if not coalescing:
        return whole
    scheme, _, _ = target.partition(":")
    if instances := _listed(target):
        lanes = [plain(f"{scheme}:{address}") for address in instances]
    else:
        lanes = [whole] * (_STREAMS_TO_A_NAME if scheme == "dns" else 1)
    return CallChannel(whole, lanes, caller.credential, audience)


def _checked_name(target: str) -> list[tuple[str, Any]]:
    """Name the host that certificates are checked for, where gRPC would take a whole list of addresses for one.

    All instances of a list are checked for the host of the first; with `dns:///` they are checked for the name.
    """
    addresses = _listed(target)
    if len(addresses) < 2:  # noqa: PLR2004 a list
        return []
    return [("grpc.default_authority", addresses[0].rpartition(":")[0].strip("[]"))]


def _listed(target: str) -> list[str]:
    """Return the addresses of a target that lists them, none for another."""
    scheme, _, addresses = target.partition(":")
    return addresses.split(",") if scheme in {"ipv4", "ipv6"} else []


class _Caller(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, issuer: str, audience: str, keys: ServiceKeys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    def credential(self) -> Metadata:
        """Return metadata that proves who calls."""
        return self._keys.metadata(self._issuer, self._audience)

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Attach what goes along, await the answer, raise GatepostError on failure."""
        context = current()
        metadata = grpc.aio.Metadata(
            *self.credential(),
            ("gatepost-request-id", context.request_id),
            ("gatepost-client-address", context.client_address),
            ("gatepost-user-agent", quote(context.user_agent)),
            ("gatepost-language", context.language),
            ("gatepost-dialect", context.dialect),
        )
        details = grpc.aio.ClientCallDetails(
            method=client_call_details.method,
            timeout=allowed_seconds(context, client_call_details.timeout),
            metadata=metadata,
            credentials=client_call_details.credentials,
            wait_for_ready=client_call_details.wait_for_ready,
        )
        call = await continuation(details, request)
        try:
            return await call
        except grpc.aio.AioRpcError as exc:
            raise status.decode(exc.code(), status.details_of(exc)) from None

"""What an operator can set of the gateway. The only module of the gateway that reads the environment."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator
from pydantic_settings import NoDecode

from runtime.networks import Network, network_of
from runtime.settings import Address, SharedSettings

_BASE_URL = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")


def _base_url(value: str) -> str:
    if not _BASE_URL.fullmatch(value):
        raise ValueError("must be http:// or https://, a host and perhaps a port or a path, without a query")
    return value.rstrip("/")


class GatewaySettings(SharedSettings):
    """Read from `GATEPOST_<NAME>`; every limit is per gateway process."""

    gateway_listen: Address = Field("127.0.0.1:8080", description="Public listener, host:port; shared by gateways.")
    gateway_metrics_listen: Address = Field("127.0.0.1:7100", description="Private listener of metrics and health.")
    auth_target: str = Field("ipv4:127.0.0.1:7001", description="gRPC target of auth-service.")
    users_target: str = Field("ipv4:127.0.0.1:7002", description="gRPC target of user-service.")
    notify_target: str = Field("ipv4:127.0.0.1:7003", description="gRPC target of notify-service.")
    public_url: Annotated[str, AfterValidator(_base_url)] = Field(
        "http://127.0.0.1:8080", description="Where clients reach the gateway; the base of every link."
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        (), description="Comma-separated CIDRs whose X-Forwarded-For and X-Request-Id are believed; none by default."
    )
    outbox_page: bool = Field(default=False, description="Serve the local outbox at /outbox. Development only.")

    connections_limit_count: int = Field(
        4096, ge=1, description="Most open connections; beyond, 503 before anything is read."
    )
    connections_limit_per_client_count: int = Field(
        1024, ge=0, description="Most open connections of one client address, trusted proxies excepted; 0: no limit."
    )
    request_head_timeout_seconds: float = Field(
        10.0, gt=0, le=300, description="Time a client has to send a request line and headers."
    )
    unread_answer_timeout_seconds: float = Field(
        10.0, gt=0, le=300, description="A client that reads nothing of its answer for this long is dropped."
    )
    request_timeout_seconds: float = Field(10.0, gt=0, le=300, description="After this a request is given up (503).")
    request_body_timeout_seconds: float = Field(10.0, gt=0, le=300, description="Time a client has to send a body.")
    keepalive_timeout_seconds: float = Field(75.0, gt=0, description="Idle connections are closed after this.")
    request_body_limit_bytes: int = Field(65_536, ge=1024, description="Largest body of ordinary requests.")
    upload_body_limit_bytes: int = Field(3_145_728, ge=1024, description="Largest body of requests with a picture.")
    request_line_limit_bytes: int = Field(8190, ge=1024, description="Longest request line.")
    request_header_limit_bytes: int = Field(8190, ge=1024, description="Longest header field.")
    request_header_limit_count: int = Field(64, ge=8, description="Most header fields of one request.")
    json_depth_limit_levels: int = Field(16, ge=1, le=100, description="Deepest nesting of a JSON body.")
    requests_limit_count: int = Field(1024, ge=1, description="Most ordinary requests at work at once; beyond, 503.")
    password_requests_limit_count: int = Field(
        64,  # fewer than auth-service lets wait: a refusal here costs 0.5 ms of CPU in all, one there 1.5
        ge=1,
        description="Most requests at work at once that may cost a password hash; beyond, 503.",
    )
    uploads_limit_count: int = Field(8, ge=1, description="Most uploads at work at once; beyond, 503.")
    origin_cache_seconds: float = Field(30.0, ge=0, description="How long an answer about a CORS origin is kept.")
    origin_cache_entries: int = Field(1024, ge=1, description="Most CORS origins remembered.")
    project_cache_seconds: float = Field(
        2.0, ge=0, description="How long what is known of a project (branding, status modes) is kept."
    )
    cache_seconds: float = Field(
        30.0, ge=0, le=60, description="How long a checked token and a profile are kept, unless they change; 0: never."
    )
    cache_entries: int = Field(20_000, ge=1, description="Most tokens kept, and most profiles.")
    ready_cache_seconds: float = Field(0.5, ge=0, description="How long a readiness answer is kept.")
    ready_timeout_seconds: float = Field(0.5, gt=0, description="A service that takes longer is not ready.")

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(network_of(part.strip(), strict=False) for part in value.split(",") if part.strip())

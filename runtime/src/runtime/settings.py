"""The settings every service has. Each service's `settings.py` extends this class; only they read the environment."""

import re
import sys
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.credentials import ServiceKeys

_EXIT_STATUS = 2
_HIGHEST_PORT = 65535
_MOST_TOGETHER = 100
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:,@/?#\s]*)(?::[0-9]{1,5})?"
# The driver shows parts of what it cannot read, and a password with a bare @ or / is such; so it is read here first.
_POSTGRES_DSN = re.compile(rf"postgres(?:ql)?://(?:[^@/?#\s]*@)?{_HOST}(?:,{_HOST})*(?:[/?][^#\s]*)?")


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > _HIGHEST_PORT:
        raise ValueError("must be host:port with a port of 0 to 65535")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError("must write an IPv6 address in brackets, as in [::1]:7002")
    return value


def _address_or_socket(value: str) -> str:
    return value if value.startswith("unix:/") else _address(value)


def _postgres(value: SecretStr) -> SecretStr:
    if not _POSTGRES_DSN.fullmatch(value.get_secret_value()):
        raise ValueError(
            "must be postgresql://user:password@host:port/database, with special characters of the password as %XX"
        )
    return value


Address = Annotated[str, AfterValidator(_address)]
"""host:port; port 0 means any that is free."""
AddressOrSocket = Annotated[str, AfterValidator(_address_or_socket)]
"""host:port or unix:/path."""
PostgresDsn = Annotated[SecretStr, AfterValidator(_postgres)]
"""postgresql://user:password@host:port/database."""


class SharedSettings(BaseSettings):
    """Read from environment variables `GATEPOST_<NAME>`; unknown ones are ignored, wrong ones stop the start."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_", frozen=True, hide_input_in_errors=True)

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line written."
    )
    service_keys: SecretStr = Field(
        description="Comma-separated keys (32 characters or more each) that service credentials are signed with; "
        "the first signs, all verify. The same for every service."
    )
    grpc_tls_cert_file: FilePath | None = Field(
        None, description="PEM certificate of this service; turns mutual TLS on."
    )
    grpc_tls_key_file: FilePath | None = Field(None, description="PEM private key for the certificate.")
    grpc_tls_ca_file: FilePath | None = Field(None, description="PEM certificates that peers must be signed by.")
    coalescing: bool = Field(
        default=True, description="Send calls, reads and writes that are asked for at the same time together."
    )
    shutdown_grace_seconds: float = Field(10.0, gt=0, description="Time that requests under way get at shutdown.")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        try:
            ServiceKeys(self.service_key_list)
        except ValueError as exc:
            raise ValueError(f"GATEPOST_SERVICE_KEYS: {exc}") from None
        tls = (self.grpc_tls_cert_file, self.grpc_tls_key_file, self.grpc_tls_ca_file)
        if None in tls and tls != (None, None, None):
            raise ValueError("mutual TLS needs GATEPOST_GRPC_TLS_CERT_FILE, _KEY_FILE and _CA_FILE together")
        return self

    @property
    def batch_limit_items(self) -> int:
        """Most items that go together."""
        return _MOST_TOGETHER if self.coalescing else 1

    @property
    def service_key_list(self) -> list[str]:
        """The service keys, in order."""
        return [key.strip() for key in self.service_keys.get_secret_value().split(",") if key.strip()]


_Settings = TypeVar("_Settings", bound=SharedSettings)


def load(kind: type[_Settings]) -> _Settings:
    """Read the environment; where it is wrong, say so in one sentence per setting on stderr, and exit with status 2.

    Raises:
        SystemExit: A setting is missing or cannot be taken. Its value is not shown.
    """
    try:
        return kind()
    except ValidationError as exc:
        for error in exc.errors(include_url=False, include_context=False, include_input=False):
            sys.stderr.write(f"{_sentence(error)}\n")
        raise SystemExit(_EXIT_STATUS) from None


def _sentence(error: ErrorDetails) -> str:
    name = "GATEPOST_" + "_".join(map(str, error["loc"])).upper()
    reason = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:  # found when looking at several at once; names them itself
        return f"{reason}."
    return f"{name} is required." if error["type"] == "missing" else f"{name} is wrong: {reason}."

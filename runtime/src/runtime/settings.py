"""The settings every service has. Each service's `settings.py` extends this class; only they read the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


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
    grpc_tls_cert_file: Path | None = Field(None, description="PEM certificate of this service; turns mutual TLS on.")
    grpc_tls_key_file: Path | None = Field(None, description="PEM private key for the certificate.")
    grpc_tls_ca_file: Path | None = Field(None, description="PEM certificates that peers must be signed by.")
    shutdown_grace_seconds: float = Field(10.0, gt=0, description="Time that requests under way get at shutdown.")

    @property
    def service_key_list(self) -> list[str]:
        """The service keys, in order."""
        return [key.strip() for key in self.service_keys.get_secret_value().split(",") if key.strip()]

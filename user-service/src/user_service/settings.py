"""The settings of user-service; the only module of it that reads the environment (`GATEPOST_<NAME>`)."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from runtime.settings import Address, AddressOrSocket, PostgresDsn, SharedSettings


class UserSettings(SharedSettings):
    """What user-service needs to know from outside."""

    users_listen: AddressOrSocket = Field(
        "127.0.0.1:7002", description="Where RPCs are taken: host:port (port 0: any that is free) or unix:/path."
    )
    users_metrics_listen: Address = Field(
        "127.0.0.1:7102", description="Private host:port of /metrics, /healthz and /readyz."
    )
    users_postgres_dsn: PostgresDsn = Field(
        description="DSN of the database `users`, as in postgresql://user:password@host:5432/users."
    )
    users_postgres_pool_size: int = Field(
        10, ge=1, le=1000, description="Most PostgreSQL connections open at once, in each process."
    )

    users_media_dir: Path = Field(
        Path("media"),
        description="Folder of the pictures, shared by all instances; made when the first picture is. "
        "Not used with GATEPOST_USERS_MEDIA_S3_BUCKET.",
    )
    users_media_s3_bucket: str = Field("", description="S3 bucket of the pictures, instead of a folder; it must exist.")
    users_media_s3_endpoint_url: str = Field(
        "",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Server of the bucket when it is not Amazon's; the bucket is part of the path there.",
    )
    users_media_s3_region: str = Field("", description="Region of the bucket; empty for the client library's choice.")
    users_media_s3_access_key_id: str = Field(
        "", description="Who asks; empty for the credentials that the client library finds by itself."
    )
    users_media_s3_secret_access_key: SecretStr = Field(
        SecretStr(""), description="Goes with GATEPOST_USERS_MEDIA_S3_ACCESS_KEY_ID."
    )
    users_media_s3_prefix: str = Field(
        "", pattern=r"^([\w.-]+/)*$", description="Goes before every key in the bucket, as in gatepost/."
    )
    users_picture_workers: int = Field(
        2, ge=1, le=64, description="Threads that decode pictures; each may need 400 MB for a moment."
    )
    users_picture_queue_size: int = Field(
        16, ge=0, le=10_000, description="Pictures that may wait for a thread; beyond it uploads get 503."
    )

    @model_validator(mode="after")
    def _whole_credentials(self) -> Self:
        if bool(self.users_media_s3_access_key_id) != bool(self.users_media_s3_secret_access_key.get_secret_value()):
            raise ValueError(
                "GATEPOST_USERS_MEDIA_S3_ACCESS_KEY_ID and GATEPOST_USERS_MEDIA_S3_SECRET_ACCESS_KEY are set together"
            )
        return self

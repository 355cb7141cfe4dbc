"""The settings of user-service; the only module of it that reads the environment (`GATEPOST_<NAME>`)."""

from pydantic import Field

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

"""What an operator can set: what can be set of each service, but that they call each other within the process."""

from dataclasses import dataclass

from pydantic import Field

from auth_service.settings import AuthSettings
from gateway.settings import GatewaySettings
from notify_service.settings import NotifySettings
from runtime.settings import load
from user_service.settings import UserSettings

AUTH_TARGET = "inprocess:auth-service"
USERS_TARGET = "inprocess:user-service"
NOTIFY_TARGET = "inprocess:notify-service"


class NearGatewaySettings(GatewaySettings):
    """The gateway's, with other defaults."""

    auth_target: str = Field(AUTH_TARGET, description="gRPC target of auth-service.")
    users_target: str = Field(USERS_TARGET, description="gRPC target of user-service.")
    notify_target: str = Field(NOTIFY_TARGET, description="gRPC target of notify-service.")


class NearAuthSettings(AuthSettings):
    """auth-service's, with other defaults."""

    users_target: str = Field(USERS_TARGET, description="gRPC target of user-service.")
    notify_target: str = Field(NOTIFY_TARGET, description="gRPC target of notify-service.")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Those of each service."""

    gateway: GatewaySettings
    auth: AuthSettings
    users: UserSettings
    notify: NotifySettings


def load_all() -> Settings:
    """Read the environment.

    Raises:
        SystemExit: A setting is missing or cannot be taken; it is said on stderr.
    """
    return Settings(
        gateway=load(NearGatewaySettings),
        auth=load(NearAuthSettings),
        users=load(UserSettings),
        notify=load(NotifySettings),
    )

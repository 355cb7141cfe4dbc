"""Calling the services as an operator: one connection to each, under the caller name `cli`.

The subcommands hand `operate` what to do with the stubs; whatever goes wrong comes back as `CommandFailed`.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import grpc
from pydantic import SecretStr

from gatepost.auth.v1.accounts_pb2_grpc import AccountServiceStub
from gatepost.auth.v1.apps_pb2_grpc import ApiKeyServiceStub, AppServiceStub
from gatepost.auth.v1.operations_pb2_grpc import AuditServiceStub, KeyServiceStub, KeySetServiceStub
from gatepost.auth.v1.projects_pb2_grpc import ProjectServiceStub
from gatepost.auth.v1.tokens_pb2_grpc import TokenServiceStub
from gatepost.notify.v1.messages_pb2_grpc import MessageServiceStub
from gatepost.users.v1.locations_pb2_grpc import LocationServiceStub
from gatepost.users.v1.pictures_pb2_grpc import PictureServiceStub
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceStub
from gatepost_cli.errors import CommandFailed
from gatepost_cli.refusals import explained
from gatepost_cli.services import Services, locate
from runtime.context import CallContext, bound
from runtime.credentials import Metadata, ServiceKeys
from runtime.errors import GatepostError
from runtime.grpc_client import connect
from runtime.settings import SharedSettings
from runtime.tls import Tls

if TYPE_CHECKING:  # the stubs' names for what they make of an asyncio channel
    from gatepost.auth.v1.accounts_pb2_grpc import AccountServiceAsyncStub
    from gatepost.auth.v1.apps_pb2_grpc import ApiKeyServiceAsyncStub, AppServiceAsyncStub
    from gatepost.auth.v1.operations_pb2_grpc import (
        AuditServiceAsyncStub,
        KeyServiceAsyncStub,
        KeySetServiceAsyncStub,
    )
    from gatepost.auth.v1.projects_pb2_grpc import ProjectServiceAsyncStub
    from gatepost.auth.v1.tokens_pb2_grpc import TokenServiceAsyncStub
    from gatepost.notify.v1.messages_pb2_grpc import MessageServiceAsyncStub
    from gatepost.users.v1.locations_pb2_grpc import LocationServiceAsyncStub
    from gatepost.users.v1.pictures_pb2_grpc import PictureServiceAsyncStub
    from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceAsyncStub

CALLER = "cli"
TLS_VARIABLE = "GATEPOST_GRPC_TLS_CERT_FILE"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Rpc:
    """The services' stubs, and the channels below them by service name.

    `credential` returns metadata that proves to a service who calls; a call whose answer is a stream must show it.
    """

    projects: "ProjectServiceAsyncStub"
    apps: "AppServiceAsyncStub"
    api_keys: "ApiKeyServiceAsyncStub"
    accounts: "AccountServiceAsyncStub"
    tokens: "TokenServiceAsyncStub"
    keys: "KeyServiceAsyncStub"
    key_sets: "KeySetServiceAsyncStub"
    audit: "AuditServiceAsyncStub"
    profiles: "ProfileServiceAsyncStub"
    pictures: "PictureServiceAsyncStub"
    locations: "LocationServiceAsyncStub"
    messages: "MessageServiceAsyncStub"
    channels: dict[str, grpc.aio.Channel]
    credential: Callable[[str], Metadata]


def operate(folder: Path | None, work: Callable[[Rpc], Awaitable[T]]) -> T:
    """Run `work` with the services of a folder (None: see `services.locate`) and return its answer.

    Raises:
        CommandFailed: nothing runs, a service cannot be reached, or it refuses.
    """
    return operate_on(locate(folder), work)


def operate_on(services: Services, work: Callable[[Rpc], Awaitable[T]]) -> T:
    """Likewise with the services given."""

    async def run() -> T:
        async with opened(services) as rpc:
            return await work(rpc)

    try:
        with bound(CallContext(request_id=str(uuid4()))):
            return asyncio.run(run())
    except GatepostError as error:
        raise explained(error) from error


@asynccontextmanager
async def opened(services: Services) -> AsyncIterator[Rpc]:
    """Yield the stubs; nothing is connected before the first call."""
    keys = ServiceKeys(list(services.service_keys))
    tls = _tls(services)
    targets = {
        "auth-service": services.auth_target,
        "user-service": services.users_target,
        "notify-service": services.notify_target,
    }
    async with AsyncExitStack() as ending:
        channels = {}
        for audience, target in targets.items():
            channel = connect(target, issuer=CALLER, audience=audience, keys=keys, tls=tls)
            ending.push_async_callback(channel.close)
            channels[audience] = channel
        auth, users, notify = channels.values()
        yield Rpc(
            projects=ProjectServiceStub(auth),
            apps=AppServiceStub(auth),
            api_keys=ApiKeyServiceStub(auth),
            accounts=AccountServiceStub(auth),
            tokens=TokenServiceStub(auth),
            keys=KeyServiceStub(auth),
            key_sets=KeySetServiceStub(auth),
            audit=AuditServiceStub(auth),
            profiles=ProfileServiceStub(users),
            pictures=PictureServiceStub(users),
            locations=LocationServiceStub(users),
            messages=MessageServiceStub(notify),
            channels=channels,
            credential=partial(keys.metadata, CALLER),
        )


def _tls(services: Services) -> Tls | None:
    """Return the certificate to show, when the environment turns mutual TLS on as it does for the services."""
    if not os.environ.get(TLS_VARIABLE):
        return None
    try:
        return Tls.from_settings(SharedSettings(service_keys=SecretStr(",".join(services.service_keys))))
    except (OSError, ValueError) as error:
        raise CommandFailed(f"mutual TLS is on, but its files cannot be used: {error}") from error

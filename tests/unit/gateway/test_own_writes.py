"""Which methods change something, and whose answers each makes the gateway forget: total over the contract."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.wrappers_pb2 import StringValue

from gatepost.auth.v1 import (
    accounts_pb2,
    apps_pb2,
    directory_pb2,
    grants_pb2,
    links_pb2,
    projects_pb2,
    sign_in_pb2,
    tokens_pb2,
)
from gatepost.users.v1 import locations_pb2, pictures_pb2, profiles_pb2
from gateway.memory import Memory
from gateway.own_writes import UNSEEN, OwnWrites, is_reading

FILES = (
    accounts_pb2,
    apps_pb2,
    directory_pb2,
    grants_pb2,
    links_pb2,
    projects_pb2,
    sign_in_pb2,
    tokens_pb2,
    locations_pb2,
    pictures_pb2,
    profiles_pb2,
)
READING = {
    "Authenticate",
    "BatchGetProfiles",
    "CheckApiKey",
    "CheckConsent",
    "CheckOrigin",
    "DemandProof",
    "DrawInitials",
    "FindAccount",
    "GetAccount",
    "GetApp",
    "GetLink",
    "GetLocation",
    "GetOwnApp",
    "GetPicture",
    "GetProfile",
    "GetProject",
    "ListAccounts",
    "ListApiKeys",
    "ListApps",
    "ListGrants",
    "ListLocations",
    "ListOwnApps",
    "ListOwnGrants",
    "ListOwnSessions",
    "ListProjects",
    "ListSessions",
    "LookupProfile",
    "ResolveProject",
}


REMEMBERED = ("account:ann", "profile:ann", "account:holder", "profile:holder", "app:7", "app:8", "project:p")


def methods() -> list[MethodDescriptor]:
    services: list[ServiceDescriptor] = [
        service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()
    ]
    return [method for service in services for method in service.methods]


class Channel:
    """A service that answers everything with what it is given."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer

    def unary_unary(self, _method: str) -> Callable[..., Awaitable[Any]]:
        async def call(_request: Any) -> Any:
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return call


class Written:
    """What is forgotten of what was remembered, and how often somebody waits for what he cannot know."""

    def __init__(self, answer: Any, user_of_token: str = "") -> None:
        self.waited = 0
        self.memory: Memory[StringValue] = Memory(
            "test", keys=lambda key: (key.value,), lives=lambda _key: 9, entries=99
        )
        channel: Any = Channel(answer)
        self.channel = OwnWrites(channel, [self.memory], lambda _request: user_of_token, self._catch_up)

    async def _catch_up(self) -> None:
        self.waited += 1

    async def call(self, method: str, request: Any) -> Any:
        for key in REMEMBERED:
            await self.memory.load(key, remembered(key))
        return await self.channel.unary_unary(f"/gatepost.{method}")(request)

    @property
    def keys(self) -> set[str]:
        """What is forgotten."""
        return {key for key in REMEMBERED if self.memory.find(key) is None}


async def remembered(key: str) -> StringValue:
    return StringValue(value=key)


def test_what_reads_is_said_in_the_contract() -> None:
    assert {method.name for method in methods() if is_reading(method)} == READING


def test_what_changes_nothing_that_is_kept_is_a_method_that_writes() -> None:
    assert {method.name for method in methods() if not is_reading(method)} >= UNSEEN


async def test_reading_forgets_nothing() -> None:
    written = Written(profiles_pb2.GetProfileResponse())
    await written.call("users.v1.ProfileService/GetProfile", profiles_pb2.GetProfileRequest(user_id="ann"))
    assert (written.keys, written.waited) == (set(), 0)


async def test_a_new_code_costs_nobody_what_is_known_of_an_app() -> None:
    written = Written(grants_pb2.IssueCodeResponse(), "ann")
    await written.call("auth.v1.GrantService/IssueCode", grants_pb2.IssueCodeRequest(access_token="t", client_id="7"))
    assert (written.keys, written.waited) == (set(), 0)


@pytest.mark.parametrize(
    ("method", "request_", "answer", "keys"),
    [
        (
            "users.v1.ProfileService/UpdateProfile",
            profiles_pb2.UpdateProfileRequest(profile=profiles_pb2.Profile(user_id="ann")),
            profiles_pb2.UpdateProfileResponse(),
            {"account:ann", "profile:ann"},
        ),
        (
            "users.v1.PictureService/SetProfilePicture",
            pictures_pb2.SetProfilePictureRequest(user_id="ann"),
            pictures_pb2.SetProfilePictureResponse(),
            {"account:ann", "profile:ann"},
        ),
        (
            "auth.v1.AccountService/SetRole",
            accounts_pb2.SetRoleRequest(
                account=accounts_pb2.AccountRef(email=accounts_pb2.EmailRef(project="p", email="e"))
            ),
            accounts_pb2.SetRoleResponse(account=accounts_pb2.Account(user_id="ann")),
            {"account:ann", "profile:ann"},
        ),
        (
            "auth.v1.DirectoryService/EditAccount",
            directory_pb2.EditAccountRequest(user_id="ann"),
            directory_pb2.EditAccountResponse(),
            {"account:ann", "profile:ann"},
        ),
        (
            "auth.v1.TokenService/EndSession",
            tokens_pb2.EndSessionRequest(access_token="t"),
            tokens_pb2.EndSessionResponse(),
            {"account:holder", "profile:holder"},
        ),
        (
            "auth.v1.OwnAppService/DeleteOwnApp",
            apps_pb2.DeleteOwnAppRequest(access_token="t", client_id="7"),
            apps_pb2.DeleteOwnAppResponse(),
            {"account:holder", "profile:holder", "app:7"},
        ),
    ],
)
async def test_who_is_named_is_forgotten_and_nobody_waits(
    method: str, request_: Any, answer: Any, keys: set[str]
) -> None:
    written = Written(answer, "holder")
    assert await written.call(method, request_) is answer
    assert (written.keys, written.waited) == (keys, 0)


async def test_who_cannot_be_named_is_waited_for() -> None:
    written = Written(sign_in_pb2.CompletePasswordResetResponse())
    await written.call("auth.v1.SignInService/CompletePasswordReset", sign_in_pb2.CompletePasswordResetRequest())
    assert (written.keys, written.waited) == (set(), 1)


async def test_a_token_that_is_not_known_here_is_waited_for() -> None:
    written = Written(tokens_pb2.EndSessionResponse())
    await written.call("auth.v1.TokenService/EndSession", tokens_pb2.EndSessionRequest(access_token="t"))
    assert written.waited == 1


async def test_what_failed_may_have_happened() -> None:
    written = Written(TimeoutError())
    request = profiles_pb2.UpdateProfileRequest(profile=profiles_pb2.Profile(user_id="ann"))
    with pytest.raises(TimeoutError):
        await written.call("users.v1.ProfileService/UpdateProfile", request)
    assert written.keys == {"account:ann", "profile:ann"}

"""ProfileService over a real gRPC server and client, interceptors included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gatepost.users.v1 import profiles_pb2 as pb
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceStub, add_ProfileServiceServicer_to_server
from runtime.clock import SystemClock
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason, Rule
from runtime.grpc_client import connect
from runtime.grpc_server import GrpcServer
from runtime.postgres import Database
from user_service.main import ALLOWED_CALLERS, NAME
from user_service.profiles import Profiles
from user_service.rpc.profiles import SERVICE_NAME, ProfileRpc

if TYPE_CHECKING:  # the stubs' name for what ProfileServiceStub makes of an asyncio channel
    from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceAsyncStub


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def target(postgres: Any, service_keys: ServiceKeys) -> AsyncIterator[str]:
    database = await Database.connect(postgres.create_database("user_service"))
    server = GrpcServer(service=NAME, listen="127.0.0.1:0", keys=service_keys, allowed_callers=ALLOWED_CALLERS)
    servicer = ProfileRpc(Profiles(database, SystemClock(), partial(token_hex, 16), most=100))
    server.add(add_ProfileServiceServicer_to_server, servicer, SERVICE_NAME)
    await server.start()
    yield f"127.0.0.1:{server.port}"
    await server.stop(0)
    await database.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def profiles(target: str, service_keys: ServiceKeys) -> AsyncIterator[ProfileServiceAsyncStub]:
    async with connect(target, issuer="gateway", audience=NAME, keys=service_keys) as channel:
        yield ProfileServiceStub(channel)


@pytest_asyncio.fixture(loop_scope="session")
async def plain(target: str) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(target) as channel:
        yield channel


def fresh(**fields: Any) -> pb.Profile:
    return pb.Profile(**({"user_id": str(uuid4()), "project_id": str(uuid4())} | fields))


async def create(profiles: ProfileServiceAsyncStub, **fields: Any) -> pb.Profile:
    response = await profiles.CreateProfile(pb.CreateProfileRequest(profile=fresh(**fields)))
    return response.profile


async def failure(call: Any) -> GatepostError:
    with pytest.raises(GatepostError) as caught:
        await call
    return caught.value


async def test_a_created_profile_is_read_back_whole(profiles: ProfileServiceAsyncStub) -> None:
    said: dict[str, Any] = {
        "user_id": str(uuid4()),
        "project_id": str(uuid4()),
        "first_name": "Zoë",
        "last_name": "Neil",
        "phone": "+49 30 901820",
        "gender": "female",
        "birth_date": "1990-05-17",
        "biography": "one\ntwo",
        "website": "https://example.org/",
        "relationship": "single",
        "language": "de",
        "meta": "{}",
        "latitude": -7.25,
        "longitude": 0.0,
        "address": "Jl. Tunjungan 1",
        "phone_verified": True,
        "badge": True,
    }
    created = await create(profiles, **said)
    assert {name: getattr(created, name) for name in said} == said
    assert (created.number, created.phone_e164) == (1, "+4930901820")
    assert created.create_time == created.update_time
    response = await profiles.GetProfile(pb.GetProfileRequest(user_id=created.user_id))
    assert response.profile == created


async def test_output_only_fields_of_a_create_are_ignored(profiles: ProfileServiceAsyncStub) -> None:
    ignored = {"picture": "f" * 32, "cover": "f" * 32, "public_id": "f" * 32}
    created = await create(profiles, number=77, phone_e164="+4930901820", etag="9", **ignored)
    assert (created.number, created.phone_e164, created.etag) == (1, "", "1")
    assert (created.picture, created.cover) == ("", "")
    assert created.public_id != "f" * 32


async def test_a_repeated_create_returns_the_profile_as_it_is(profiles: ProfileServiceAsyncStub) -> None:
    created = await create(profiles, first_name="Ann")
    again = await create(profiles, user_id=created.user_id, project_id=created.project_id, first_name="Eve")
    assert again == created


async def test_parallel_repeats_of_a_create_return_one_profile(profiles: ProfileServiceAsyncStub) -> None:
    profile = fresh()
    request = pb.CreateProfileRequest(profile=profile)
    responses = await asyncio.gather(*(profiles.CreateProfile(request) for _ in range(20)))
    assert {response.profile.public_id for response in responses} == {responses[0].profile.public_id}
    assert (await create(profiles, project_id=profile.project_id)).number == 2


async def test_absent_meta_stays_absent_and_empty_meta_stays_empty(profiles: ProfileServiceAsyncStub) -> None:
    absent, empty = await create(profiles), await create(profiles, meta="")
    assert (absent.HasField("meta"), empty.HasField("meta"), empty.meta) == (False, True, "")


async def test_unknown_coordinates_are_absent_and_zero_is_not(profiles: ProfileServiceAsyncStub) -> None:
    unknown, zero = await create(profiles), await create(profiles, latitude=0.0, longitude=0.0)
    assert (unknown.HasField("latitude"), unknown.HasField("longitude")) == (False, False)
    assert (zero.HasField("latitude"), zero.HasField("longitude")) == (True, True)


async def test_an_unknown_birth_date_is_empty(profiles: ProfileServiceAsyncStub) -> None:
    assert (await create(profiles)).birth_date == ""


async def test_an_unknown_account_is_not_found(profiles: ProfileServiceAsyncStub) -> None:
    error = await failure(profiles.GetProfile(pb.GetProfileRequest(user_id=str(uuid4()))))
    assert error.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("", Rule.REQUIRED),
        ("1", Rule.INVALID),
        ("{12345678-1234-5678-1234-567812345678}", Rule.INVALID),
        ("urn:uuid:12345678-1234-5678-1234-567812345678", Rule.INVALID),
        ("12345678123456781234567812345678", Rule.INVALID),
    ],
)
async def test_a_user_id_that_is_no_uuid_is_invalid(profiles: ProfileServiceAsyncStub, value: str, rule: Rule) -> None:
    for call in (
        profiles.CreateProfile(pb.CreateProfileRequest(profile=fresh(user_id=value))),
        profiles.GetProfile(pb.GetProfileRequest(user_id=value)),
        profiles.DeleteProfile(pb.DeleteProfileRequest(user_id=value)),
        profiles.UpdateProfile(pb.UpdateProfileRequest(profile=pb.Profile(user_id=value))),
    ):
        error = await failure(call)
        assert (error.reason, error.violations[0].field) == (Reason.INVALID_PARAMETER, "user_id")
        assert error.violations[0].rule is rule


async def test_a_create_without_project_is_invalid(profiles: ProfileServiceAsyncStub) -> None:
    error = await failure(profiles.CreateProfile(pb.CreateProfileRequest(profile=fresh(project_id=""))))
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_PARAMETER, "project_id")


async def test_every_field_at_fault_crosses_the_wire(profiles: ProfileServiceAsyncStub) -> None:
    error = await failure(create(profiles, gender="?", language="en_US", first_name="fine"))
    assert error.reason is Reason.INVALID_PARAMETER
    assert [violation.field for violation in error.violations] == ["gender", "language"]


async def test_profiles_come_in_the_order_asked(profiles: ProfileServiceAsyncStub) -> None:
    first, second = await create(profiles), await create(profiles)
    asked = [second.user_id, str(uuid4()), first.user_id]
    response = await profiles.BatchGetProfiles(pb.BatchGetProfilesRequest(user_ids=asked))
    assert list(response.profiles) == [second, first]


async def test_more_than_a_hundred_profiles_are_refused(profiles: ProfileServiceAsyncStub) -> None:
    asked = [str(uuid4()) for _ in range(101)]
    error = await failure(profiles.BatchGetProfiles(pb.BatchGetProfilesRequest(user_ids=asked)))
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_PARAMETER, "user_ids")


async def test_a_profile_is_looked_up_by_number_and_by_public_id(profiles: ProfileServiceAsyncStub) -> None:
    created = await create(profiles)
    for key in ({"number": created.number}, {"public_id": created.public_id}):
        request = pb.LookupProfileRequest(project_id=created.project_id, **key)
        assert (await profiles.LookupProfile(request)).profile == created


async def test_a_look_up_from_another_project_finds_nothing(profiles: ProfileServiceAsyncStub) -> None:
    created = await create(profiles)
    request = pb.LookupProfileRequest(project_id=str(uuid4()), public_id=created.public_id)
    assert (await failure(profiles.LookupProfile(request))).reason is Reason.NOT_FOUND


async def test_a_look_up_without_a_key_is_invalid(profiles: ProfileServiceAsyncStub) -> None:
    error = await failure(profiles.LookupProfile(pb.LookupProfileRequest(project_id=str(uuid4()))))
    assert error.reason is Reason.INVALID_PARAMETER


async def test_an_update_names_what_changed_and_moves_the_etag(profiles: ProfileServiceAsyncStub) -> None:
    created = await create(profiles, first_name="Ann", meta="{}")
    response = await profiles.UpdateProfile(
        pb.UpdateProfileRequest(
            profile=pb.Profile(user_id=created.user_id, first_name="Ann", gender="other", etag=created.etag),
            update_mask=FieldMask(paths=["first_name", "gender", "meta"]),
        )
    )
    assert list(response.changed) == ["gender", "meta"]
    assert response.profile.etag != created.etag
    assert not response.profile.HasField("meta")


async def test_an_update_with_an_old_etag_is_a_conflict(profiles: ProfileServiceAsyncStub) -> None:
    created = await create(profiles)
    request = pb.UpdateProfileRequest(
        profile=pb.Profile(user_id=created.user_id, first_name="Eve", etag=created.etag),
        update_mask=FieldMask(paths=["first_name"]),
    )
    await profiles.UpdateProfile(request)
    assert (await failure(profiles.UpdateProfile(request))).reason is Reason.CONFLICT


@pytest.mark.parametrize("path", ["number", "public_id", "phone_e164", "project_id", "etag", "shoe_size"])
async def test_an_update_of_what_cannot_be_changed_is_invalid(profiles: ProfileServiceAsyncStub, path: str) -> None:
    created = await create(profiles)
    request = pb.UpdateProfileRequest(profile=pb.Profile(user_id=created.user_id), update_mask=FieldMask(paths=[path]))
    error = await failure(profiles.UpdateProfile(request))
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_PARAMETER, "update_mask")


async def test_a_deleted_profile_is_gone_and_deleting_it_again_is_no_error(profiles: ProfileServiceAsyncStub) -> None:
    created = await create(profiles)
    for _ in range(2):
        await profiles.DeleteProfile(pb.DeleteProfileRequest(user_id=created.user_id))
    error = await failure(profiles.GetProfile(pb.GetProfileRequest(user_id=created.user_id)))
    assert error.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("caller", ["gateway", "auth-service", "cli"])
async def test_the_callers_of_the_plan_are_let_in(target: str, service_keys: ServiceKeys, caller: str) -> None:
    async with connect(target, issuer=caller, audience=NAME, keys=service_keys) as channel:
        assert (await create(ProfileServiceStub(channel))).number == 1


async def test_another_service_is_refused(target: str, service_keys: ServiceKeys) -> None:
    async with connect(target, issuer="notify-service", audience=NAME, keys=service_keys) as channel:
        error = await failure(create(ProfileServiceStub(channel)))
    assert error.reason is Reason.CALLER_REFUSED


async def test_a_credential_for_another_service_is_refused(target: str, service_keys: ServiceKeys) -> None:
    async with connect(target, issuer="gateway", audience="auth-service", keys=service_keys) as channel:
        error = await failure(create(ProfileServiceStub(channel)))
    assert error.reason is Reason.CALLER_REFUSED


async def test_a_credential_signed_by_another_installation_is_refused(target: str) -> None:
    strangers = ServiceKeys(["a-key-of-some-other-installation-of-gatepost"])
    async with connect(target, issuer="gateway", audience=NAME, keys=strangers) as channel:
        error = await failure(create(ProfileServiceStub(channel)))
    assert error.reason is Reason.CALLER_REFUSED


async def test_a_call_without_credential_is_refused(plain: grpc.aio.Channel) -> None:
    profiles: ProfileServiceAsyncStub = ProfileServiceStub(plain)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await profiles.GetProfile(pb.GetProfileRequest(user_id=str(uuid4())))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def listing(channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...]) -> AsyncIterator[Any]:
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    answers: AsyncIterator[Any] = stub.ServerReflectionInfo(requests, metadata=metadata)
    return answers


async def test_reflection_lists_the_service_to_who_has_a_credential(
    plain: grpc.aio.Channel, service_keys: ServiceKeys
) -> None:
    credential = (("authorization", f"Bearer {service_keys.mint('cli', NAME)}"),)
    answers = [answer async for answer in listing(plain, credential)]
    assert "gatepost.users.v1.ProfileService" in {s.name for s in answers[0].list_services_response.service}


async def test_reflection_without_credential_is_refused(plain: grpc.aio.Channel) -> None:
    # Asked nothing: a request on its way when the call is refused can hide the status from the client.
    call = reflection_pb2_grpc.ServerReflectionStub(plain).ServerReflectionInfo(timeout=10)
    assert await call.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_the_service_is_healthy(target: str, service_keys: ServiceKeys) -> None:
    async with connect(target, issuer="cli", audience=NAME, keys=service_keys) as channel:
        request = health_pb2.HealthCheckRequest(service=SERVICE_NAME)
        answer = await health_pb2_grpc.HealthStub(channel).Check(request)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING

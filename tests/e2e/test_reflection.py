"""What a person with grpcurl sees: each service lists itself to who has its credential, and nothing to others."""

import grpc
import pytest
from conftest import GatepostStack
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

ANSWER_SECONDS = 10
CHANGES = "gatepost.runtime.v1.ChangeService"
SERVICES = {
    "auth-service": {CHANGES}
    | {
        f"gatepost.auth.v1.{name}Service"
        for name in (
            *("Project", "App", "OwnApp", "ApiKey", "Directory", "Account", "Link"),
            *("SignIn", "Token", "Grant", "Key", "Audit"),
        )
    },
    "user-service": {CHANGES} | {f"gatepost.users.v1.{name}Service" for name in ("Profile", "Picture", "Location")},
    "notify-service": {"gatepost.notify.v1.MessageService", "gatepost.notify.v1.DeviceService"},
}


async def listed(target: str, token: str) -> set[str]:
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    async with grpc.aio.insecure_channel(target) as channel:
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            requests, metadata=(("authorization", f"Bearer {token}"),), timeout=ANSWER_SECONDS
        )
        return {service.name async for answer in call for service in answer.list_services_response.service}


async def refusal(target: str, token: str | None) -> grpc.StatusCode:
    """Return the status of a call that is ended before it is asked anything."""
    metadata = () if token is None else (("authorization", f"Bearer {token}"),)
    async with grpc.aio.insecure_channel(target) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        code: grpc.StatusCode = await stub.ServerReflectionInfo(metadata=metadata, timeout=ANSWER_SECONDS).code()
        return code


@pytest.mark.parametrize("service", SERVICES)
async def test_reflection_lists_a_service_to_who_has_its_credential(stack: GatepostStack, service: str) -> None:
    answer = stack.cli("service-token", service)
    assert await listed(answer["target"], answer["token"]) >= SERVICES[service]


@pytest.mark.parametrize("service", SERVICES)
async def test_reflection_without_credential_is_refused(stack: GatepostStack, service: str) -> None:
    target = stack.cli("service-token", service)["target"]
    assert await refusal(target, None) is grpc.StatusCode.UNAUTHENTICATED


async def test_the_credential_for_one_service_is_refused_by_another(stack: GatepostStack) -> None:
    target = stack.cli("service-token", "auth-service")["target"]
    token = stack.cli("service-token", "user-service")["token"]
    assert await refusal(target, token) is grpc.StatusCode.UNAUTHENTICATED

"""What a person with grpcurl sees: each service lists itself to who has its credential, and nothing to others."""

import grpc
import pytest
from conftest import GatepostStack
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

SERVICES = {
    "auth-service": {
        f"gatepost.auth.v1.{name}Service"
        for name in ("Project", "App", "ApiKey", "Account", "SignIn", "Token", "Grant", "Key", "Audit")
    },
    "user-service": {"gatepost.users.v1.ProfileService"},
    "notify-service": {"gatepost.notify.v1.MessageService", "gatepost.notify.v1.DeviceService"},
}


async def listed(target: str, token: str) -> set[str]:
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    async with grpc.aio.insecure_channel(target) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answers = [answer async for answer in stub.ServerReflectionInfo(requests, metadata=metadata, timeout=10)]
    return {service.name for answer in answers for service in answer.list_services_response.service}


@pytest.mark.parametrize("service", SERVICES)
async def test_reflection_lists_a_service_to_who_has_its_credential(stack: GatepostStack, service: str) -> None:
    answer = stack.cli("service-token", service)
    assert await listed(answer["target"], answer["token"]) >= SERVICES[service]


@pytest.mark.parametrize("service", SERVICES)
async def test_reflection_without_credential_is_refused(stack: GatepostStack, service: str) -> None:
    target = stack.cli("service-token", service)["target"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await listed(target, "")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_the_credential_for_one_service_is_refused_by_another(stack: GatepostStack) -> None:
    target = stack.cli("service-token", "auth-service")["target"]
    token = stack.cli("service-token", "user-service")["token"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await listed(target, token)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

"""The services: each asked over gRPC, with a credential, whether it serves; the gateway over HTTP; mail that died."""

import asyncio
import os
from collections.abc import Iterator
from ipaddress import ip_address

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gatepost.notify.v1.messages_pb2 import ListMessagesRequest, MessageStatus
from gatepost_cli import probes
from gatepost_cli.diagnosis.finding import Finding, fail, ok, warn
from gatepost_cli.operate import TLS_VARIABLE, opened
from gatepost_cli.refusals import explained
from gatepost_cli.services import Services
from runtime.errors import GatepostError

ANSWER_SECONDS = 3.0
LISTED = "ipv4:"


async def look(services: Services, gateway: str | None) -> list[Finding]:
    """Return the findings on each instance of each service and, if its URL is known, on the gateway."""
    targets = {
        "auth-service": services.auth_target,
        "user-service": services.users_target,
        "notify-service": services.notify_target,
    }
    asked = [(name, instance) for name, target in targets.items() for instance in _instances(target)]
    found = list(await asyncio.gather(*(_health(services, name, instance) for name, instance in asked)))
    found += [_exposed(name, instance) for name, instance in asked if _is_exposed(instance)]
    if all(finding.advice == "" for finding in found):
        found.append(await _dead_messages(services))
    if gateway is not None:
        found.append(await _gateway(gateway))
    return found


def _instances(target: str) -> Iterator[str]:
    if target.startswith(LISTED):
        yield from (f"{LISTED}{address}" for address in target.removeprefix(LISTED).split(","))
    else:
        yield target


async def _health(services: Services, name: str, target: str) -> Finding:
    alone = Services(auth_target=target, users_target=target, notify_target=target, service_keys=services.service_keys)
    try:
        async with opened(alone) as rpc, asyncio.timeout(ANSWER_SECONDS):
            stub = health_pb2_grpc.HealthStub(rpc.channels[name])
            answer = await stub.Check(health_pb2.HealthCheckRequest())
    except GatepostError as error:
        return fail(name, f"{target}: {explained(error).message}", "look at its log; `gatepost status` shows processes")
    except TimeoutError:
        return fail(name, f"{target} does not answer", "look at its log; `gatepost status` shows processes")
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        return fail(name, f"{target} answers, but does not serve", "it is stopping; wait, then look at its log")
    return ok(name, f"{target} serves")


def _is_exposed(target: str) -> bool:
    if os.environ.get(TLS_VARIABLE) or not target.startswith(LISTED):
        return False
    try:
        return not ip_address(target.removeprefix(LISTED).rpartition(":")[0]).is_loopback
    except ValueError:
        return False


def _exposed(name: str, target: str) -> Finding:
    return warn(
        name, f"{target} is called over a network without mutual TLS", "set GATEPOST_GRPC_TLS_CERT_FILE and kin"
    )


async def _dead_messages(services: Services) -> Finding:
    request = ListMessagesRequest(status=MessageStatus.MESSAGE_STATUS_DEAD, page_size=1)
    try:
        async with opened(services) as rpc:
            dead = (await rpc.messages.ListMessages(request)).messages
    except (GatepostError, grpc.aio.AioRpcError):
        return warn("mail", "the outbox cannot be read", "look at the log of notify-service")
    if dead:
        return warn("mail", "some messages were given up", "`gatepost outbox list --status dead` shows why")
    return ok("mail", "no message was given up")


async def _gateway(url: str) -> Finding:
    if await probes.http_ready(url):
        return ok("gateway", f"{url} is ready")
    return fail("gateway", f"{url} is not ready", "its /readyz says what it lacks; look at its log")

"""Mutual TLS between services: both sides show a certificate of one authority, and the credential is demanded too."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rpc.runtime.echo import KEY, EchoRpc, connect, refusal, say

from runtime import grpc_client
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError, Reason
from runtime.grpc_server import GrpcServer
from runtime.settings import SharedSettings
from runtime.tls import Tls

SERVICE = "test-service"


class Authority:
    """Signs certificates for services on this machine."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._certificate(self.name, self.key, ca=True)
        self.file = self.folder / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def tls_of(self, service: str) -> Tls:
        """Return what a service has whose settings name files of this authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, service)]), key, ca=False)
        cert_file, key_file = self.folder / f"{service}.pem", self.folder / f"{service}.key"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        settings = SharedSettings(
            service_keys=KEY,
            grpc_tls_cert_file=cert_file,
            grpc_tls_key_file=key_file,
            grpc_tls_ca_file=self.file,
        )
        tls = Tls.from_settings(settings)
        assert tls is not None
        return tls

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(names, critical=False)
            .sign(self.key, hashes.SHA256())
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "ours")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def target(authority: Authority) -> AsyncIterator[str]:
    server = GrpcServer(
        service=SERVICE,
        listen="127.0.0.1:0",
        keys=ServiceKeys([KEY]),
        allowed_callers=frozenset({"gateway"}),
        tls=authority.tls_of("server"),
    )
    rpc = EchoRpc()
    server.add(rpc.register, rpc, "test.Echo")
    await server.start()
    yield f"127.0.0.1:{server.port}"
    await server.stop(0)


async def check(channel: grpc.aio.Channel) -> int:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    return int(answer.status)


async def test_a_caller_with_a_certificate_and_a_credential_is_answered(target: str, authority: Authority) -> None:
    keys, tls = ServiceKeys([KEY]), authority.tls_of("gateway")
    async with grpc_client.connect(target, issuer="gateway", audience=SERVICE, keys=keys, tls=tls) as channel:
        assert await check(channel) == health_pb2.HealthCheckResponse.SERVING


async def test_calls_that_go_together_are_answered_too(target: str, authority: Authority) -> None:
    settings: dict[str, Any] = {"issuer": "gateway", "audience": SERVICE, "tls": authority.tls_of("gateway")}
    for instances in (target, f"ipv4:{target},{target}"):
        async with connect(instances, coalescing=True, **settings) as channel:
            assert set(await asyncio.gather(*(say(channel, "hello") for _ in range(20)))) == {"hello"}


async def test_calls_that_go_together_do_not_get_through_without_a_certificate(target: str) -> None:
    async with connect(target, coalescing=True, issuer="gateway", audience=SERVICE) as channel:
        assert (await refusal(say(channel, "hello"))).reason is Reason.UNAVAILABLE


async def test_instances_given_as_a_list_of_addresses_are_reached(target: str, authority: Authority) -> None:
    keys, tls, listed = ServiceKeys([KEY]), authority.tls_of("gateway"), f"ipv4:{target},{target}"
    async with grpc_client.connect(listed, issuer="gateway", audience=SERVICE, keys=keys, tls=tls) as channel:
        assert await check(channel) == health_pb2.HealthCheckResponse.SERVING


async def test_a_certificate_is_no_credential(target: str, authority: Authority) -> None:
    async with grpc.aio.secure_channel(target, authority.tls_of("gateway").channel_credentials()) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await check(channel)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_caller_who_speaks_tls_but_shows_no_certificate_does_not_get_through(
    target: str, authority: Authority
) -> None:
    header = (("authorization", f"Bearer {ServiceKeys([KEY]).mint('gateway', SERVICE)}"),)
    credentials = grpc.ssl_channel_credentials(root_certificates=authority.file.read_bytes())
    async with grpc.aio.secure_channel(target, credentials) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), metadata=header, timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_caller_without_tls_does_not_get_through(target: str) -> None:
    keys = ServiceKeys([KEY])
    async with grpc_client.connect(target, issuer="gateway", audience=SERVICE, keys=keys) as channel:
        with pytest.raises(GatepostError) as caught:
            await check(channel)
    assert caught.value.reason is Reason.UNAVAILABLE


async def test_a_caller_with_a_certificate_of_somebody_else_does_not_get_through(
    target: str, authority: Authority, tmp_path: Path
) -> None:
    keys, own, foreign = (
        ServiceKeys([KEY]),
        authority.tls_of("gateway"),
        Authority(tmp_path, "foreign").tls_of("gateway"),
    )
    tls = Tls(foreign.certificate, foreign.key, own.authority)  # trusts our server, but shows another's certificate
    async with grpc_client.connect(target, issuer="gateway", audience=SERVICE, keys=keys, tls=tls) as channel:
        with pytest.raises(GatepostError) as caught:
            await check(channel)
    assert caught.value.reason is Reason.UNAVAILABLE


async def test_a_caller_does_not_talk_to_a_server_of_somebody_else(
    target: str, authority: Authority, tmp_path: Path
) -> None:
    keys, own, foreign = (
        ServiceKeys([KEY]),
        authority.tls_of("gateway"),
        Authority(tmp_path, "foreign").tls_of("gateway"),
    )
    tls = Tls(own.certificate, own.key, foreign.authority)
    async with grpc_client.connect(target, issuer="gateway", audience=SERVICE, keys=keys, tls=tls) as channel:
        with pytest.raises(GatepostError) as caught:
            await check(channel)
    assert caught.value.reason is Reason.UNAVAILABLE

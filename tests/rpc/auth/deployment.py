"""user-service, notify-service and auth-service as an operator runs them, on unix sockets, and a client app's view."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import auth_service.main
import notify_service.main
import user_service.main
from auth_service.settings import AuthSettings
from gatepost.auth.v1 import accounts_pb2, apps_pb2, projects_pb2, sign_in_pb2, tokens_pb2
from gatepost.auth.v1.accounts_pb2_grpc import AccountServiceStub
from gatepost.auth.v1.apps_pb2_grpc import ApiKeyServiceStub, AppServiceStub, OwnAppServiceStub
from gatepost.auth.v1.directory_pb2_grpc import DirectoryServiceStub
from gatepost.auth.v1.grants_pb2_grpc import GrantServiceStub
from gatepost.auth.v1.links_pb2_grpc import LinkServiceStub
from gatepost.auth.v1.operations_pb2_grpc import AuditServiceStub, KeyServiceStub
from gatepost.auth.v1.projects_pb2_grpc import ProjectServiceStub
from gatepost.auth.v1.sign_in_pb2_grpc import SignInServiceStub
from gatepost.auth.v1.tokens_pb2_grpc import TokenServiceStub
from gatepost.notify.v1 import messages_pb2
from gatepost.notify.v1.messages_pb2_grpc import MessageServiceStub
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceStub
from notify_service.settings import NotifySettings
from runtime import grpc_client
from runtime.context import CallContext, bound
from runtime.credentials import ServiceKeys
from runtime.errors import GatepostError
from user_service.settings import UserSettings

SERVICE_KEY = "a-service-key-of-the-tests-alone-42-characters"
MASTER_KEY = "a-master-key-of-the-tests-alone-of-enough-length"
PASSWORD = "correct horse battery staple"
POLICIES = {
    "none": projects_pb2.SIGN_IN_POLICY_NONE,
    "otp": projects_pb2.SIGN_IN_POLICY_OTP,
    "two-step": projects_pb2.SIGN_IN_POLICY_TWO_STEP,
}
PURPOSES = {"otp": sign_in_pb2.CHALLENGE_PURPOSE_OTP, "two-step": sign_in_pb2.CHALLENGE_PURPOSE_TWO_STEP}
_PATIENCE_SECONDS = 10.0


class Service:
    """One service in a task of this loop; can be stopped and started again."""

    def __init__(self, name: str, target: str, serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        self.name = name
        self.target = target
        self._serve = serve
        self._stop = asyncio.Event()
        self._task: asyncio.Future[None] | None = None

    async def start(self, keys: ServiceKeys) -> None:
        self._stop = asyncio.Event()
        self._task = asyncio.ensure_future(self._serve(self._stop))
        async with grpc_client.connect(self.target, issuer="cli", audience=self.name, keys=keys) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not await self._healthy(health):  # noqa: ASYNC110 another process's state
                    await asyncio.sleep(0.02)

    async def stop(self) -> None:
        if self._task is not None:
            self._stop.set()
            await self._task
            self._task = None

    async def _healthy(self, health: Any) -> bool:
        if self._task is not None and self._task.done():
            self._task.result()
        try:
            answer = await health.Check(health_pb2.HealthCheckRequest())
        except GatepostError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@dataclass(kw_only=True)
class Deployment:
    """The running services, and stubs to call them as the gateway and the command line do."""

    users: Service
    notify: Service
    auth: Service
    second_auth: Service
    keys: ServiceKeys
    auth_dsn: str
    sign_in: Any
    tokens: Any
    accounts: Any
    grants: Any
    projects: Any
    apps: Any
    api_keys: Any
    own_apps: Any
    directory: Any
    links: Any
    second_links: Any
    key_service: Any
    audit: Any
    profiles: Any
    messages: Any
    second_tokens: Any
    second_sign_in: Any

    async def client(self, policy: str = "none", *, public: bool = False, **project: Any) -> "Client":
        """Return an app of a new project."""
        name = f"p{uuid4().hex[:20]}"
        app = {key: project.pop(key) for key in ("scopes", "redirect_urls") if key in project}
        request = projects_pb2.CreateProjectRequest(
            id=str(uuid4()), name=name, sign_in_policy=POLICIES[policy], **project
        )
        await self.projects.CreateProject(request)
        return await self.app_of(name, policy, public=public, **app)

    async def app_of(self, project: str, policy: str, *, public: bool = False, **app: Any) -> "Client":
        """Return a new app of a project."""
        kind = apps_pb2.APP_TYPE_PUBLIC if public else apps_pb2.APP_TYPE_CONFIDENTIAL
        made = await self.apps.CreateApp(
            apps_pb2.CreateAppRequest(id=str(uuid4()), project=project, name="App", type=kind, **app)
        )
        return Client(self, project, policy, made.app, made.client_secret)

    async def mails(self, to: str) -> list[messages_pb2.Message]:
        """Return the messages to an address taken so far, newest first."""
        answer = await self.messages.ListMessages(messages_pb2.ListMessagesRequest(to=to))
        return list(answer.messages)

    async def mail(self, to: str, template: str, number: int = 1) -> messages_pb2.Message:
        """Await the number-th message of a template to an address."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                found = [message for message in await self.mails(to) if message.template == template]
                if len(found) >= number:
                    return found[-number]
                await asyncio.sleep(0.02)

    async def link(self, to: str, template: str, number: int = 1) -> str:
        """Await the number-th message of a template to an address, and return the token of its link."""
        return (await self.mail(to, template, number)).link.partition("?token=")[2]

    async def execute(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement in the database of auth-service, as time or an intruder would, and return its rows."""
        connection = await asyncpg.connect(self.auth_dsn)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def age_sign_ins(self, user_id: str) -> None:
        """Let an account's sign-ins be an hour old."""
        await self.execute(
            "UPDATE sessions SET authenticated_at = authenticated_at - interval '1 hour' WHERE account_id = $1",
            UUID(user_id),
        )


@dataclass(frozen=True)
class Client:
    """An app and what it can do for a person."""

    deployment: Deployment
    project: str
    policy: str
    app: apps_pb2.App
    secret: str

    @property
    def credentials(self) -> sign_in_pb2.ClientCredentials:
        return sign_in_pb2.ClientCredentials(client_id=self.app.client_id, client_secret=self.secret)

    async def sign_up(self, email: str, password: str = PASSWORD, **more: Any) -> sign_in_pb2.SignInResult:
        said: dict[str, Any] = {"user_id": str(uuid4()), "client": self.credentials, "email": email}
        request = sign_in_pb2.SignUpRequest(**said | {"password": password} | more)
        answer: sign_in_pb2.SignUpResponse = await self.deployment.sign_in.SignUp(request)
        return answer.result

    async def sign_in(self, login: str, password: str = PASSWORD, **more: Any) -> sign_in_pb2.SignInResult:
        said: dict[str, Any] = {"client": self.credentials, "login": login, "password": password}
        request = sign_in_pb2.SignInRequest(**said | more)
        answer: sign_in_pb2.SignInResponse = await self.deployment.sign_in.SignIn(request)
        return answer.result

    async def answer(self, result: sign_in_pb2.SignInResult, code: str) -> str:
        """Answer a challenge of this app's policy; return the one-time code."""
        request = sign_in_pb2.VerifyChallengeRequest(
            purpose=PURPOSES[self.policy], handle=result.challenge.handle, code=code
        )
        return str((await self.deployment.sign_in.VerifyChallenge(request)).code)

    async def exchange(self, code: str, verifier: str = "") -> tokens_pb2.ExchangeCodeResponse:
        request = tokens_pb2.ExchangeCodeRequest(client=self.credentials, code=code, code_verifier=verifier)
        answer: tokens_pb2.ExchangeCodeResponse = await self.deployment.tokens.ExchangeCode(request)
        return answer

    async def refresh(self, refresh_token: str) -> tokens_pb2.RefreshTokensResponse:
        request = tokens_pb2.RefreshTokensRequest(client=self.credentials, refresh_token=refresh_token)
        answer: tokens_pb2.RefreshTokensResponse = await self.deployment.tokens.RefreshTokens(request)
        return answer

    async def authenticate(self, access_token: str) -> tokens_pb2.AuthenticateResponse:
        request = tokens_pb2.AuthenticateRequest(access_token=access_token)
        answer: tokens_pb2.AuthenticateResponse = await self.deployment.tokens.Authenticate(request)
        return answer

    async def start_reset(self, email: str) -> sign_in_pb2.Challenge:
        request = sign_in_pb2.StartPasswordResetRequest(client=self.credentials, email=email)
        answer: sign_in_pb2.StartPasswordResetResponse = await self.deployment.sign_in.StartPasswordReset(request)
        return answer.challenge

    async def complete_reset(self, challenge: sign_in_pb2.Challenge, code: str, password: str) -> None:
        request = sign_in_pb2.CompletePasswordResetRequest(handle=challenge.handle, code=code, password=password)
        await self.deployment.sign_in.CompletePasswordReset(request)

    async def code_for(self, email: str, password: str = PASSWORD, **more: Any) -> str:
        """Sign a person in, mailed code included; return the one-time code."""
        before = [message.id for message in await self.deployment.mails(email)]
        result = await self.sign_in(email, password, **more)
        if result.code:
            return result.code
        return await self.answer(result, await self.mailed_code(email, before))

    async def person(self, **more: Any) -> tuple[str, tokens_pb2.ExchangeCodeResponse]:
        """Sign a new person up and exchange the code; return address and tokens."""
        email = address()
        result = await self.sign_up(email, **more)
        code = result.code or await self.answer(result, await self.mailed_code(email, []))
        return email, await self.exchange(code)

    async def mailed_code(self, email: str, before: list[str]) -> str:
        """Await a message to an address that is not one of those before, and return its code."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                for message in await self.deployment.mails(email):
                    if message.id not in before and message.code:
                        assert re.fullmatch("[1-9][0-9]{5}", message.code)
                        return str(message.code)
                await asyncio.sleep(0.02)

    def ref(self, email: str) -> accounts_pb2.AccountRef:
        return accounts_pb2.AccountRef(email=accounts_pb2.EmailRef(project=self.project, email=email))


def address() -> str:
    """Return an address nobody has."""
    return f"someone-{uuid4().hex[:12]}@example.org"


def wrong(code: str) -> str:
    """Return a six-digit code that is not this one."""
    return str(100_000 + (int(code) - 99_999) % 900_000)


@asynccontextmanager
async def from_address(client_address: str) -> AsyncIterator[None]:
    """Make calls in the block come from a public client at an address."""
    with bound(CallContext(client_address=client_address)):
        yield


def build(folder: Path, dsns: dict[str, str], valkey_url: str, **auth: Any) -> Deployment:
    """Make the services, not yet started."""
    keys = ServiceKeys([SERVICE_KEY])
    shared: dict[str, Any] = {"service_keys": SERVICE_KEY, "log_level": "error", "shutdown_grace_seconds": 0.2}
    users = UserSettings(
        **shared,
        users_listen=f"unix:{folder}/users",
        users_metrics_listen="127.0.0.1:0",
        users_postgres_dsn=dsns["user_service"],
        users_postgres_pool_size=4,
    )
    notify = NotifySettings(
        **shared,
        notify_listen=f"unix:{folder}/notify",
        notify_metrics_listen="127.0.0.1:0",
        notify_postgres_dsn=dsns["notify_service"],
    )
    settings = {
        "auth_metrics_listen": "127.0.0.1:0",
        "auth_postgres_dsn": dsns["auth_service"],
        "valkey_url": valkey_url,
        "users_target": f"unix:{folder}/users",
        "notify_target": f"unix:{folder}/notify",
        "master_key": MASTER_KEY,
        "argon2_memory_kib": 64,
        "argon2_iterations": 1,
    }
    first = AuthSettings(**shared | settings | auth | {"auth_listen": f"unix:{folder}/auth"})
    second = AuthSettings(**shared | settings | auth | {"auth_listen": f"unix:{folder}/auth2"})

    def channel(name: str, audience: str, issuer: str) -> grpc.aio.Channel:
        return grpc_client.connect(f"unix:{folder}/{name}", issuer=issuer, audience=audience, keys=keys)

    gateway, cli = (channel("auth", "auth-service", issuer) for issuer in ("gateway", "cli"))
    second_gateway = channel("auth2", "auth-service", "gateway")
    return Deployment(
        users=Service("user-service", f"unix:{folder}/users", lambda stop: user_service.main.serve(users, stop)),
        notify=Service("notify-service", f"unix:{folder}/notify", lambda stop: notify_service.main.serve(notify, stop)),
        auth=Service("auth-service", f"unix:{folder}/auth", lambda stop: auth_service.main.serve(first, stop)),
        second_auth=Service("auth-service", f"unix:{folder}/auth2", lambda stop: auth_service.main.serve(second, stop)),
        keys=keys,
        auth_dsn=dsns["auth_service"],
        sign_in=SignInServiceStub(gateway),
        tokens=TokenServiceStub(gateway),
        grants=GrantServiceStub(gateway),
        accounts=AccountServiceStub(cli),
        projects=ProjectServiceStub(cli),
        apps=AppServiceStub(cli),
        api_keys=ApiKeyServiceStub(cli),
        own_apps=OwnAppServiceStub(gateway),
        directory=DirectoryServiceStub(gateway),
        links=LinkServiceStub(gateway),
        second_links=LinkServiceStub(second_gateway),
        key_service=KeyServiceStub(cli),
        audit=AuditServiceStub(cli),
        profiles=ProfileServiceStub(channel("users", "user-service", "gateway")),
        messages=MessageServiceStub(channel("notify", "notify-service", "cli")),
        second_tokens=TokenServiceStub(second_gateway),
        second_sign_in=SignInServiceStub(second_gateway),
    )

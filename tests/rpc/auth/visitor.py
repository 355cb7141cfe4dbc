"""A person at the gateway's own door: signs up and in for a project, without an app, and holds a session."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from rpc.auth.deployment import PASSWORD, POLICIES, PURPOSES, Client, Deployment

from gatepost.auth.v1 import forms_pb2, grants_pb2, projects_pb2, sign_in_pb2, tokens_pb2

PAIR, SHORT_PAIR = forms_pb2.TOKEN_FORM_PAIR, forms_pb2.TOKEN_FORM_SHORT_PAIR
SINGLE, SESSION_KEY, WEB = (
    forms_pb2.TOKEN_FORM_SINGLE,
    forms_pb2.TOKEN_FORM_SESSION_KEY,
    forms_pb2.TOKEN_FORM_WEB,
)
FORMS = {"pair": PAIR, "short pair": SHORT_PAIR, "single": SINGLE, "session key": SESSION_KEY, "web": WEB}


@dataclass(frozen=True)
class Door:
    """What the gateway does for a project itself, in one form."""

    deployment: Deployment
    project: str
    policy: str
    form: forms_pb2.TokenForm.ValueType = WEB

    def of(self, form: forms_pb2.TokenForm.ValueType) -> "Door":
        return replace(self, form=form)

    async def sign_up(self, email: str, password: str = PASSWORD, **more: Any) -> sign_in_pb2.SignInResult:
        said: dict[str, Any] = {"user_id": str(uuid4()), "email": email, "password": password}
        request = sign_in_pb2.SignUpRequest(**said | {"project": self.project, "form": self.form} | more)
        answer: sign_in_pb2.SignUpResponse = await self.deployment.sign_in.SignUp(request)
        return answer.result

    async def sign_in(self, login: str, password: str = PASSWORD, **more: Any) -> sign_in_pb2.SignInResult:
        said: dict[str, Any] = {"login": login, "password": password, "project": self.project, "form": self.form}
        answer: sign_in_pb2.SignInResponse = await self.deployment.sign_in.SignIn(
            sign_in_pb2.SignInRequest(**said | more)
        )
        return answer.result

    async def answer(self, result: sign_in_pb2.SignInResult, code: str) -> sign_in_pb2.IssuedSession:
        request = sign_in_pb2.VerifyChallengeRequest(
            purpose=PURPOSES[self.policy], handle=result.challenge.handle, code=code
        )
        answer: sign_in_pb2.VerifyChallengeResponse = await self.deployment.sign_in.VerifyChallenge(request)
        assert not answer.code
        return answer.session

    async def with_facebook(self, token: str, subject: str = "") -> sign_in_pb2.IssuedSession:
        identity = sign_in_pb2.ExternalIdentity(provider="facebook", token=token, subject=subject)
        request = sign_in_pb2.SignInWithIdentityRequest(project=self.project, form=self.form, identity=identity)
        answer: sign_in_pb2.SignInWithIdentityResponse = await self.deployment.sign_in.SignInWithIdentity(request)
        return answer.session

    async def start_reset(self, email: str) -> sign_in_pb2.Challenge:
        request = sign_in_pb2.StartPasswordResetRequest(project=self.project, email=email)
        answer: sign_in_pb2.StartPasswordResetResponse = await self.deployment.sign_in.StartPasswordReset(request)
        return answer.challenge

    async def complete_reset(self, password: str, **said: Any) -> None:
        request = sign_in_pb2.CompletePasswordResetRequest(password=password, **said)
        await self.deployment.sign_in.CompletePasswordReset(request)

    async def authenticate(
        self, token: str, form: forms_pb2.TokenForm.ValueType | None = None, *, second: bool = False
    ) -> tokens_pb2.AuthenticateResponse:
        request = tokens_pb2.AuthenticateRequest(access_token=token, form=self.form if form is None else form)
        service = self.deployment.second_tokens if second else self.deployment.tokens
        answer: tokens_pb2.AuthenticateResponse = await service.Authenticate(request)
        return answer

    async def sessions(self, token: str) -> list[tokens_pb2.Session]:
        request = tokens_pb2.ListOwnSessionsRequest(access_token=token, form=self.form)
        return list((await self.deployment.tokens.ListOwnSessions(request)).sessions)

    async def consent(
        self, token: str, client: Client, *scopes: str, redirect_url: str = "https://app.example/back"
    ) -> grants_pb2.CheckConsentResponse:
        request = grants_pb2.CheckConsentRequest(
            access_token=token,
            form=self.form,
            client_id=client.app.client_id,
            scopes=scopes,
            redirect_url=redirect_url,
        )
        answer: grants_pb2.CheckConsentResponse = await self.deployment.grants.CheckConsent(request)
        return answer

    async def grant(self, token: str, client: Client, *scopes: str) -> grants_pb2.Grant:
        request = grants_pb2.CreateGrantRequest(
            access_token=token, form=self.form, client_id=client.app.client_id, scopes=scopes
        )
        answer: grants_pb2.CreateGrantResponse = await self.deployment.grants.CreateGrant(request)
        return answer.grant

    async def code(self, token: str, client: Client, issue: forms_pb2.TokenForm.ValueType, **more: Any) -> str:
        """Issue a code for an app, on a grant made before."""
        said: dict[str, Any] = {"client_id": client.app.client_id, "access_token": token, "form": self.form}
        request = grants_pb2.IssueCodeRequest(**said | {"issue": issue} | more)
        return str((await self.deployment.grants.IssueCode(request)).code)


async def door(deployment: Deployment, policy: str = "none", **project: Any) -> Door:
    """Return the door of a new project."""
    name = f"p{uuid4().hex[:20]}"
    request = projects_pb2.CreateProjectRequest(id=str(uuid4()), name=name, sign_in_policy=POLICIES[policy], **project)
    await deployment.projects.CreateProject(request)
    return Door(deployment, name, policy)


async def exchange(
    client: Client, code: str, form: forms_pb2.TokenForm.ValueType, *, second: bool = False, **more: Any
) -> tokens_pb2.ExchangeCodeResponse:
    """Exchange a code for a form."""
    request = tokens_pb2.ExchangeCodeRequest(client=client.credentials, code=code, form=form, **more)
    service = client.deployment.second_tokens if second else client.deployment.tokens
    answer: tokens_pb2.ExchangeCodeResponse = await service.ExchangeCode(request)
    return answer

"""OAuth 2.0 in the words of RFC 6749: the token endpoint, and errors on the way back to an app.

Dialects that speak it build on this; the `code` of their renderings is the RFC's word for the same (sections 4.1.2.1
and 5.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.tokens_pb2 import (
    ExchangeCodeRequest,
    ExchangeCodeResponse,
    RefreshTokensRequest,
    RefreshTokensResponse,
)
from gateway import problem
from gateway.call import Call
from gateway.credentials import credentials
from gateway.dialect import Failure
from gateway.fields import text, text_or_int
from gateway.reply import Reply
from gateway.web import authorization
from gateway.web.session import DEAD
from runtime.errors import GatepostError, Reason, invalid, missing

# What an app is told at its redirect URL; everything else only the person sees.
_SENT_BACK = frozenset(
    {
        Reason.MISSING_PARAMETER,
        Reason.INVALID_PARAMETER,
        Reason.SCOPE_MISSING,
        Reason.RATE_LIMITED,
        Reason.OVERLOADED,
        Reason.UNAVAILABLE,
        Reason.DEADLINE_EXCEEDED,
        Reason.INTERNAL,
    }
)
_DESCRIPTIONS: Mapping[str, str] = {
    "invalid_client": "the client_id or the client_secret is wrong",
    "invalid_grant": "the code or token is unknown, used, expired or another app's, or the code_verifier is wrong",
    "invalid_scope": "the scopes are missing, or the app may not ask for one of them",
}


@dataclass(frozen=True, slots=True)
class Grant:
    """What the token endpoint reads; the redirect URL by either name."""

    grant_type: str = text()
    client_id: str = text_or_int(default="")
    client_secret: str = text_or_int(default="", secret=True)
    redirect_url: str = text(default="")
    redirect_uri: str = text(default="")
    code: str = text(default="", secret=True)
    code_verifier: str = text(default="", secret=True)
    refresh_token: str = text(default="", secret=True)


class Tokens(TypedDict):
    """Tokens (RFC 6749 section 5.1)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str
    scope: str


class TokenError(TypedDict):
    """What went wrong at the token endpoint (RFC 6749 section 5.2)."""

    error: str
    error_description: str


async def exchange(call: Call, form: Grant, issue: TokenForm.ValueType) -> Reply:
    """Answer the token endpoint: tokens for a code or for a refresh token.

    Raises:
        GatepostError: MISSING_PARAMETER, INVALID_PARAMETER on `grant_type`, and what the core says of app and code.
    """
    client = credentials(call, form.client_id, form.client_secret, secret_name="client_secret")  # noqa: S106 its name
    if not client.client_id:
        raise GatepostError(Reason.CLIENT_UNKNOWN, "the app does not say who it is")
    answer: ExchangeCodeResponse | RefreshTokensResponse
    match form.grant_type:
        case "authorization_code":
            if not form.code:
                raise missing("code")
            request = ExchangeCodeRequest(
                client=client,
                code=form.code,
                code_verifier=form.code_verifier,
                redirect_url=form.redirect_url or form.redirect_uri,
                form=issue,
            )
            answer = await call.clients.tokens.ExchangeCode(request)
        case "refresh_token":
            if not form.refresh_token:
                raise missing("refresh_token")
            refresh = RefreshTokensRequest(client=client, refresh_token=form.refresh_token, form=issue)
            answer = await call.clients.tokens.RefreshTokens(refresh)
        case _:
            raise invalid("grant_type", "The grant_type is authorization_code or refresh_token.")
    tokens = Tokens(
        access_token=answer.tokens.access_token,
        token_type="Bearer",  # noqa: S106 a word of the standard
        expires_in=answer.tokens.expires_in,
        refresh_token=answer.tokens.refresh_token,
        scope=" ".join(answer.tokens.scopes),
    )
    return Reply(json=tokens, headers={"Pragma": "no-cache"})


def token_error(failure: Failure, said: str) -> Reply:
    """Word an error of the token endpoint.

    Args:
        failure: What went wrong.
        said: What the dialect has to say about it; empty for nothing.
    """
    word, status, headers = _word(failure), failure.rendering.status, {"Pragma": "no-cache"}
    if word == "invalid_grant":
        status = 400
    if word == "invalid_client" and {"authorization", "basic"} & {name.lower() for name in failure.call.headers}:
        headers["WWW-Authenticate"] = 'Basic realm="gatepost"'
    body = TokenError(error=word, error_description=_describe(failure, said))
    return Reply(status=status, json=body, headers=headers)


async def authorization_error(failure: Failure, said: str, redirect_url: str, state: str) -> Reply:
    """Send an error of the authorization endpoint back to the app, or show it to the person.

    Args:
        failure: What went wrong.
        said: As for `token_error`.
        redirect_url: Where the app may be told; empty if there is no address to be trusted.
        state: Goes back as it came.
    """
    error, call = failure.error, failure.call
    if error.reason in DEAD:
        return authorization.sign_in(call)
    if redirect_url and error.reason in _SENT_BACK:
        told = {"error": _word(failure), "error_description": _describe(failure, said)}
        return authorization.send_back(redirect_url, **told, state=state)
    status = 400 if error.reason is Reason.CLIENT_UNKNOWN else failure.rendering.status
    return await authorization.refuse(call, error, status, problem.ERRORS[error.reason].text)


def _word(failure: Failure) -> str:
    """The RFC's word; two parameters have words of their own."""
    wrong = failure.error.violations[0].field if failure.error.violations else ""
    if failure.error.reason is Reason.INVALID_PARAMETER and wrong in {"grant_type", "response_type"}:
        return f"unsupported_{wrong}"
    return failure.rendering.code


def _describe(failure: Failure, said: str) -> str:
    return said or _DESCRIPTIONS.get(failure.rendering.code, failure.rendering.text)

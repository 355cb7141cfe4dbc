"""Letting an app know somebody: who is sent here with an app's id goes back to it with a one-time code.

    app -> its project -> who is here (else sign-in) -> consent (else the page) -> code -> back to the app

Every dialect with such an endpoint reads its own parameters, checks them, and says what is asked in an `Ask`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from gatepost.auth.v1.apps_pb2 import App, AppType
from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.grants_pb2 import CheckConsentRequest, CreateGrantRequest, IssueCodeRequest
from gatepost.auth.v1.sign_in_pb2 import Pkce
from gateway import fields
from gateway.call import Call
from gateway.fields import Takes, text
from gateway.params import NOTHING
from gateway.reply import Reply, redirect
from gateway.web.consent import show_consent
from gateway.web.errors import error_page
from gateway.web.forms import PageForm
from gateway.web.locale import mark as _
from gateway.web.paths import url
from gateway.web.session import visitor
from runtime.context import current
from runtime.errors import GatepostError, Reason, invalid, missing

Form = TypeVar("Form")
_WEB = TokenForm.TOKEN_FORM_WEB
_MAX_STATE_LENGTH = 512
_TEXTS: Mapping[Reason, str] = {
    Reason.CLIENT_UNKNOWN: _(
        "We're sorry, but the application you're trying to use doesn't exist or has been disabled."
    ),
    Reason.MISSING_PARAMETER: _("The link you followed is incomplete. Go back to the application and try again."),
    Reason.DIALECT_DISABLED: _("This feature has been disabled by the admin."),
    Reason.ROLE_FORBIDDEN: _(
        "This form was open for too long, or it was not sent from our page. Nothing has been changed."
    ),
}
_NO_WAY_BACK = _("The application has not registered the address that it wants you to be sent back to.")


@dataclass(frozen=True, slots=True)
class Decision(PageForm):
    """The consent page's form. What the app asks stays in the address, which is the page's own; see `asked`.

    Args:
        decision: `allow` or `deny`.
        shown: The scopes the page was about: an app's owner may list more while it is being read.
    """

    decision: str = text(default="")
    shown: str = text(default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What an app asks of a person, checked.

    Args:
        app: Which.
        redirect_url: One of its registered ones.
        scopes: What a grant must cover.
        shares: The same for people, line by line: messages of the catalogues.
        issue: What the code will be exchanged for.
        code_name: The parameter that carries the code back.
        state: Goes back as it came; empty for none.
        pkce: See Pkce; None if the app does not use it.
    """

    app: App
    redirect_url: str
    scopes: tuple[str, ...]
    shares: tuple[str, ...]
    issue: TokenForm.ValueType
    code_name: str
    state: str
    pkce: Pkce | None


def asked(call: Call, form: type[Form]) -> Form:
    """Read what an app asks from the address of the page that asked it.

    Raises:
        GatepostError: See `fields.read`.
    """
    return fields.read(form, Takes.QUERY, call.query, NOTHING)


def proof_key(challenge: str, method: str) -> Pkce | None:
    """Return the proof key that an app sends along, None without one."""
    return Pkce(challenge=challenge, method=method) if challenge or method else None


async def find_app(call: Call, client_id: str) -> App:
    """Return an app that people may be sent here by.

    Raises:
        GatepostError: CLIENT_UNKNOWN, also for a disabled one; DIALECT_DISABLED.
    """
    app = await call.clients.app(client_id)
    project = await call.clients.project(app.project) if app is not None else None
    if app is None or app.disabled or project is None or project.disabled:
        raise GatepostError(Reason.CLIENT_UNKNOWN, metadata={"status_mode": app.status_mode if app else ""})
    if project.dialects and current().dialect not in project.dialects:
        raise GatepostError(Reason.DIALECT_DISABLED, metadata={"status_mode": app.status_mode})
    return app


async def proceed(call: Call, ask: Ask) -> Reply:
    """Send the person on: to the app's project, to sign-in, to the app with a code, or show the consent page.

    Raises:
        GatepostError: INVALID_PARAMETER on a `state` of more than 512 characters, MISSING_PARAMETER on `code_challenge`
            of a public app, and what the core says.
    """
    if len(ask.state) > _MAX_STATE_LENGTH:
        raise invalid("state", f"The state has at most {_MAX_STATE_LENGTH} characters.")
    if ask.app.type == AppType.APP_TYPE_PUBLIC and ask.pkce is None:
        raise missing("code_challenge")
    if (await call.project()).name != ask.app.project:
        return redirect(_below(call, ask.app.project), status=302)
    who = await visitor(call, ask.app.project)
    if who is None:
        return sign_in(call)
    request = CheckConsentRequest(
        access_token=call.token,
        form=_WEB,
        client_id=ask.app.client_id,
        scopes=ask.scopes,
        redirect_url=ask.redirect_url,
    )
    consent = await call.clients.grants.CheckConsent(request)
    if consent.granted:
        return await _with_code(call, ask)
    return await show_consent(
        call,
        app=ask.app,
        account=who.account,
        shares=ask.shares,
        shown=" ".join(ask.scopes),
        redirect_url=ask.redirect_url,
        lasting_seconds=consent.lasting_seconds,
    )


async def decide(call: Call, ask: Ask, form: Decision) -> Reply:
    """Do what the person decided on the consent page; proceed anew if it was not about what is asked now.

    Raises:
        GatepostError: INVALID_PARAMETER on `decision`, and what the core says.
    """
    who = await visitor(call, ask.app.project)
    if who is None:
        return sign_in(call)
    if form.decision == "deny":
        return send_back(ask.redirect_url, error="access_denied", state=ask.state)
    if form.decision != "allow":
        raise invalid("decision", "The decision is allow or deny.")
    if set(form.shown.split()) != set(ask.scopes):
        return await proceed(call, ask)
    await call.clients.grants.CreateGrant(
        CreateGrantRequest(access_token=call.token, form=_WEB, client_id=ask.app.client_id, scopes=ask.scopes)
    )
    return await _with_code(call, ask)


def sign_in(call: Call) -> Reply:
    """Send the person to sign in and back."""
    return redirect(url(call, "/sign-in", next=call.target), status=302 if call.method == "GET" else 303)


def send_back(redirect_url: str, **parameters: str) -> Reply:
    """Send the browser to an app's redirect URL, with parameters added; empty ones are left out."""
    given = urlencode({name: value for name, value in parameters.items() if value})
    separator = "&" if urlsplit(redirect_url).query else "" if redirect_url.endswith("?") else "?"
    return redirect(f"{redirect_url}{separator}{given}", status=302)


async def refuse(call: Call, error: GatepostError, status: int, otherwise: str) -> Reply:
    """Tell the person, never the app, that this leads nowhere.

    Args:
        call: The request.
        error: What is wrong.
        status: HTTP status.
        otherwise: What to say where there are no words of ours.
    """
    text = _TEXTS.get(error.reason, otherwise)
    if any(violation.field == "redirect_url" for violation in error.violations):
        text = _NO_WAY_BACK
    return await error_page(call, error, status, text)


async def _with_code(call: Call, ask: Ask) -> Reply:
    request = IssueCodeRequest(
        access_token=call.token,
        form=_WEB,
        client_id=ask.app.client_id,
        scopes=ask.scopes,
        pkce=ask.pkce,
        issue=ask.issue,
        redirect_url=ask.redirect_url,
    )
    code = (await call.clients.grants.IssueCode(request)).code
    return send_back(ask.redirect_url, **{ask.code_name: code}, state=ask.state)


def _below(call: Call, project: str) -> str:
    """The same address below the project's prefix."""
    return f"/t/{project}{call.target.removeprefix(f'/t/{call.mount}')}"

"""/sign-in, /sign-in/code, /sign-out: the first factor, the mailed code, the way out."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.sign_in_pb2 import SignInRequest, VerifyChallengeRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.limits import Limit
from gateway.pages.door import Door, door_of, go_on, passed, show_door
from gateway.pages.step import PURPOSES, Step, current_step, done
from gateway.reply import Reply, redirect
from gateway.web import devices
from gateway.web.forms import PageForm
from gateway.web.locale import mark as _
from gateway.web.paths import next_or, url
from gateway.web.proof import ProvingForm, demanded
from gateway.web.session import AGAIN, VISITOR, cleared, enter, leave, visitor
from runtime.errors import GatepostError, Reason

_NOTICES: Mapping[str, str] = {
    "signed-out": _("You are signed out."),
    "password": _("Your new password is set. You can sign in with it now."),
    "kept": _("Your account stays open. You can sign in now."),
    "closed": _("Your account is closed. We have sent you a message with a link, should you change your mind."),
}
_LONG_AGO = _("You signed in a while ago. For your safety, sign in once more to make this change.")


@dataclass(frozen=True, slots=True)
class _Arrival:
    next: str = text(default="")
    prompt: str = text(default="")
    done: str = text(default="")


@dataclass(frozen=True, slots=True)
class _SignIn(ProvingForm):
    email: str = text(default="")
    password: str = text(default="", secret=True)


@dataclass(frozen=True, slots=True)
class _Code(PageForm):
    purpose: str = text(default="")
    handle: str = text(default="", secret=True)
    email: str = text(default="")
    code: str = text(default="", secret=True)


async def _page(call: Call, form: _Arrival) -> Reply:
    """Show the sign-in page; who is signed in goes on, unless he is to prove himself again, or wants to be another."""
    door = await door_of(call, form.next)
    who = await visitor(call, door.project.name) if form.prompt == AGAIN else None
    if who is not None:
        return await _show(call, door, who.account.email or who.account.username, notice=_LONG_AGO)
    onwards = None if form.prompt == "login" else await passed(call, door)
    return onwards or await _show(call, door, "", notice=_NOTICES.get(form.done, ""))


async def _sign_in(call: Call, form: _SignIn) -> Reply:
    """Check who it is, as far as the project wants it."""
    door = await door_of(call, form.next)
    call.again = partial(_show, call, door, form.email)
    request = SignInRequest(
        project=door.project.name,
        form=TokenForm.TOKEN_FORM_WEB,
        login=form.email.strip(),
        password=form.password,
        proof=form.worked,
        devices=devices.known(call),
    )
    return await go_on(call, door, (await call.clients.sign_in.SignIn(request)).result, form.email.strip())


async def _code_page(call: Call, form: _Arrival) -> Reply:
    """Ask for the code that was mailed."""
    door = await door_of(call, form.next)
    step = current_step(call, "otp", "two-step")
    return await _show_code(call, door, step) if step else redirect(url(call, "/sign-in", next=door.next))


async def _code(call: Call, form: _Code) -> Reply:
    """Check the code that was mailed."""
    door = await door_of(call, form.next)
    step = Step(form.purpose, form.handle, form.email)
    if step.purpose not in PURPOSES:
        raise GatepostError(Reason.CHALLENGE_FAILED)
    call.again = partial(_show_code, call, door, step)
    request = VerifyChallengeRequest(
        purpose=PURPOSES[step.purpose], handle=step.handle, code="".join(form.code.split())
    )
    session = (await call.clients.sign_in.VerifyChallenge(request)).session
    return await enter(call, session, door.next or url(call, "/account"), done())


async def _sign_out(call: Call, form: PageForm) -> Reply:
    """End the session."""
    await leave(call)
    target = url(call, "/sign-in", done="signed-out", next=next_or(form.next, ""))
    return Reply(status=303, headers=redirect(target).headers, cookies=(cleared(),))


async def _show(call: Call, door: Door, email: str, error: GatepostError | None = None, notice: str = "") -> Reply:
    return await show_door(
        call,
        "sign_in.html",
        door,
        page="/sign-in",
        error=error,
        demand=await demanded(call, door.project.name),
        email=email,
        notice=notice if not error else "",
    )


async def _show_code(call: Call, door: Door, step: Step, error: GatepostError | None = None) -> Reply:
    return await show_door(call, "code.html", door, page="/sign-in/code", error=error, step=step)


ROUTES = (
    Route("GET", "/sign-in", _page, VISITOR, Limit.ORDINARY),
    Route("POST", "/sign-in", _sign_in, VISITOR, Limit.PASSWORD),
    Route("GET", "/sign-in/code", _code_page, VISITOR, Limit.ORDINARY),
    Route("POST", "/sign-in/code", _code, VISITOR, Limit.ORDINARY),
    Route("POST", "/sign-out", _sign_out, VISITOR, Limit.ORDINARY),
)

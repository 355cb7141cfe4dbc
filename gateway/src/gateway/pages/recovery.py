"""/forgot-password, /reset-password: a mailed code, or the link it came with, and a new password against it."""

import re
from dataclasses import dataclass
from functools import partial

from gatepost.auth.v1.sign_in_pb2 import CompletePasswordResetRequest, StartPasswordResetRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.limits import Limit
from gateway.pages import step
from gateway.pages.door import Door, door_of, show_door
from gateway.pages.step import Step, current_step
from gateway.reply import Reply, redirect
from gateway.web.devices import kept
from gateway.web.forms import PageForm
from gateway.web.paths import url
from gateway.web.proof import ProvingForm, demanded
from gateway.web.session import VISITOR
from gateway.web.templates import show
from runtime.errors import GatepostError, Reason, missing

# What a mailed link holds; and what one of the release before does, a handle and its code.
_TOKEN = re.compile(r"[0-9a-f]{84}")
_EARLIER_TOKEN = re.compile(r"([0-9a-f]{70})([0-9]{6})")


@dataclass(frozen=True, slots=True)
class _Arrival:
    next: str = text(default="")
    token: str = text(default="", secret=True)


@dataclass(frozen=True, slots=True)
class _Forgot(ProvingForm):
    email: str = text(default="")


@dataclass(frozen=True, slots=True)
class _Reset(PageForm):
    handle: str = text(default="", secret=True)
    email: str = text(default="")
    code: str = text(default="", secret=True)
    password: str = text(default="", secret=True)


async def _forgot_page(call: Call, form: _Arrival) -> Reply:
    """Ask for the address; where there are no passwords, sign in instead."""
    door = await door_of(call, form.next)
    if door.by_mail:
        return redirect(url(call, "/sign-in", next=door.next))
    return await _show_forgot(call, door, "")


async def _forgot(call: Call, form: _Forgot) -> Reply:
    """Mail a code if the address has an account; the answer is the same if not."""
    door = await door_of(call, form.next)
    email = form.email.strip()
    call.again = partial(_show_forgot, call, door, email)
    request = StartPasswordResetRequest(project=door.project.name, email=email, proof=form.worked)
    challenge = (await call.clients.sign_in.StartPasswordReset(request)).challenge
    return step.lead_to(url(call, "/reset-password", next=door.next), challenge, email)


async def _reset_page(call: Call, form: _Arrival) -> Reply:
    """Ask for code and new password; a mailed link needs no code. Nothing is spent by looking."""
    door = await door_of(call, form.next)
    if _TOKEN.fullmatch(form.token):
        return await _show_reset(call, door, Step("reset", form.token), "")
    given = _EARLIER_TOKEN.fullmatch(form.token)
    if given:
        return await _show_reset(call, door, Step("reset", given[1]), given[2])
    open_step = current_step(call, "reset")
    if open_step is None:
        return redirect(url(call, "/forgot-password", next=door.next))
    return await _show_reset(call, door, open_step, "")


async def _reset(call: Call, form: _Reset) -> Reply:
    """Set the new password."""
    door = await door_of(call, form.next)
    code = "".join(form.code.split())
    call.again = partial(_show_reset, call, door, Step("reset", form.handle, form.email), code)
    wanted = {"password": form.password}
    if _TOKEN.fullmatch(form.handle):
        code = ""
    else:
        wanted["code"] = code
    absent = [name for name, value in wanted.items() if not value]
    if absent:
        raise missing(*absent)
    done = await call.clients.sign_in.CompletePasswordReset(
        CompletePasswordResetRequest(handle=form.handle, code=code, password=form.password)
    )
    target = url(call, "/sign-in", done="password", next=door.next)
    return Reply(status=303, headers=redirect(target).headers, cookies=(*kept(call, done.device), step.done()))


async def _show_forgot(call: Call, door: Door, email: str, error: GatepostError | None = None) -> Reply:
    demand = await demanded(call, door.project.name)
    return await show_door(call, "forgot.html", door, page="/forgot-password", error=error, demand=demand, email=email)


async def _show_reset(call: Call, door: Door, asked: Step, code: str, error: GatepostError | None = None) -> Reply:
    linked = bool(_TOKEN.fullmatch(asked.handle))
    if linked and error is not None and error.reason is Reason.CHALLENGE_FAILED:
        restart = url(call, "/forgot-password", next=door.next)
        return await show(call, "dead_link.html", taken=False, restart=restart, here=restart)
    return await show_door(
        call, "reset.html", door, page="/reset-password", error=error, step=asked, linked=linked, code=code
    )


ROUTES = (
    Route("GET", "/forgot-password", _forgot_page, VISITOR, Limit.ORDINARY),
    Route("POST", "/forgot-password", _forgot, VISITOR, Limit.ORDINARY),
    Route("GET", "/reset-password", _reset_page, VISITOR, Limit.ORDINARY),
    Route("POST", "/reset-password", _reset, VISITOR, Limit.PASSWORD),
)

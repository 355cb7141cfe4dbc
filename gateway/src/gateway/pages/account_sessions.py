"""/account/sessions: where a person is signed in, and the devices that get push messages; each of them can be ended."""

from dataclasses import dataclass

from gatepost.auth.v1.tokens_pb2 import (
    EndAllOwnSessionsRequest,
    EndOwnSessionRequest,
    ListOwnSessionsRequest,
    Session,
)
from gatepost.notify.v1.devices_pb2 import ListDevicesRequest, UnregisterDeviceRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.limits import Limit
from gateway.pages.account import Seen
from gateway.pages.own import WEB, lately_signed_in, show_own, signed_in, uuid_of
from gateway.reply import Reply, redirect
from gateway.web import url
from gateway.web.forms import PageForm
from gateway.web.session import SESSION, cleared
from runtime.agents import browser, system

_HERE = "/account/sessions"


@dataclass(frozen=True, slots=True)
class Place:
    """A session as the page shows it.

    Args:
        session: As the core knows it.
        browser: What its client seems to be; empty when unknown.
        system: What it seems to run on; empty when unknown.
        here: Whether it is the one that shows this page.
    """

    session: Session
    browser: str
    system: str
    here: bool


async def _show(call: Call, form: Seen) -> Reply:
    """Show the sessions and devices."""
    who = await signed_in(call)
    answer = await call.clients.tokens.ListOwnSessions(ListOwnSessionsRequest(access_token=call.token, form=WEB))
    devices = await call.clients.devices.ListDevices(ListDevicesRequest(user_id=who.account.user_id))
    places = [
        Place(session, browser(session.user_agent), system(session.user_agent), session.id == who.session.id)
        for session in answer.sessions
    ]
    return await show_own(
        call,
        "account_sessions.html",
        who,
        here=url(call, _HERE),
        done=form.done,
        places=places,
        devices=devices.devices,
    )


async def _end(call: Call, _form: PageForm) -> Reply:
    """End one session; to end this one is to sign out."""
    await lately_signed_in(call)
    request = EndOwnSessionRequest(access_token=call.token, form=WEB, session_id=uuid_of(call.segments["id"]))
    await call.clients.tokens.EndOwnSession(request)
    return redirect(url(call, _HERE, done="ended"))


async def _end_all(call: Call, _form: PageForm) -> Reply:
    """End every session, this one too."""
    await lately_signed_in(call)
    await call.clients.tokens.EndAllOwnSessions(EndAllOwnSessionsRequest(access_token=call.token, form=WEB))
    target = url(call, "/sign-in", next=url(call, "/account"))
    return Reply(status=303, headers={"Location": target}, cookies=(cleared(),))


async def _forget_device(call: Call, _form: PageForm) -> Reply:
    """Stop push messages to a device."""
    who = await signed_in(call)
    request = UnregisterDeviceRequest(user_id=who.account.user_id, id=uuid_of(call.segments["id"]))
    await call.clients.devices.UnregisterDevice(request)
    return redirect(url(call, _HERE, done="forgotten"))


ROUTES = (
    Route("GET", _HERE, _show, SESSION, Limit.ORDINARY),
    Route("POST", "/account/sessions/end", _end_all, SESSION, Limit.ORDINARY),
    Route("POST", "/account/sessions/{id}/end", _end, SESSION, Limit.ORDINARY),
    Route("POST", "/account/devices/{id}/forget", _forget_device, SESSION, Limit.ORDINARY),
)

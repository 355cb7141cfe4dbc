"""/apps, the App Dashboard: the apps somebody has registered, and how much each is used."""

import asyncio
from dataclasses import dataclass

from gatepost.auth.v1.apps_pb2 import App, GetOwnAppRequest, GetOwnAppResponse, ListOwnAppsRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.guards import ANYONE
from gateway.limits import Limit
from gateway.pages.account import Seen
from gateway.pages.own import WEB, show_own, signed_in
from gateway.reply import Reply, redirect
from gateway.web import url
from gateway.web.look import picture_url
from gateway.web.session import SESSION

HERE = "/apps"


@dataclass(frozen=True, slots=True)
class Listed:
    """An app in the list.

    Args:
        app: As the core knows it.
        icon: Where its icon is; empty for none.
        sign_ins: Of the last fourteen days.
    """

    app: App
    icon: str
    sign_ins: int


async def _show(call: Call, form: Seen) -> Reply:
    """Show the apps."""
    who = await signed_in(call)
    answer = await call.clients.own_apps.ListOwnApps(ListOwnAppsRequest(access_token=call.token, form=WEB))
    found = await asyncio.gather(*(get(call, app.client_id) for app in answer.apps))
    listed = [
        Listed(app, picture_url(app.icon_picture, "large"), sum(day.sign_ins for day in one.usage))
        for app, one in zip(answer.apps, found, strict=True)
    ]
    return await show_own(
        call, "apps.html", who, here=url(call, HERE), done=form.done, listed=listed, may_create=answer.may_create
    )


async def get(call: Call, client_id: str) -> GetOwnAppResponse:
    """Return an app of the session's user, with its usage.

    Raises:
        GatepostError: NOT_FOUND, also for somebody else's.
    """
    request = GetOwnAppRequest(access_token=call.token, form=WEB, client_id=client_id)
    return await call.clients.own_apps.GetOwnApp(request)


async def _developers(call: Call) -> Reply:
    """Go to the dashboard."""
    return redirect(url(call, HERE))


ROUTES = (
    Route("GET", HERE, _show, SESSION, Limit.ORDINARY),
    Route("GET", "/developers", _developers, ANYONE, Limit.ORDINARY),
)

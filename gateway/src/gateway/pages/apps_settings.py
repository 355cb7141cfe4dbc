"""/apps/{client_id}: what an app is, how it is used, what a developer copies into it; its settings; its end."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from gatepost.auth.v1.apps_pb2 import App, AppType, AppUsage, DeleteOwnAppRequest, UpdateAppRequest, UpdateOwnAppRequest
from gatepost.auth.v1.projects_pb2 import StringList
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import Takes, text
from gateway.limits import Limit
from gateway.pages import apps_icon, own_words
from gateway.pages.account import Seen
from gateway.pages.apps import HERE, get
from gateway.pages.apps_form import SCOPES, AppForm, description, filled, lines, scopes
from gateway.pages.apps_snippets import login_link, snippets
from gateway.pages.own import WEB, show_own, signed_in, today
from gateway.reply import Reply, redirect
from gateway.web import url
from gateway.web.forms import PageForm
from gateway.web.look import picture_url
from gateway.web.session import SESSION
from runtime.errors import GatepostError, missing

_DAYS = 14


@dataclass(frozen=True, slots=True)
class SettingsForm(AppForm):
    """What can be changed of an app."""

    remove_icon: str = text(default="")
    allow_query_secret: str = text(default="")
    status_mode: str = text(default="")


async def _show_page(call: Call, form: Seen) -> Reply:
    """Show the app."""
    return await _show(call, call.segments["client_id"], None, done=form.done)


async def _save(call: Call, form: SettingsForm) -> Reply:
    """Change the app."""
    client_id = call.segments["client_id"]
    call.again = partial(_show, call, client_id, form)
    await signed_in(call)
    app = (await get(call, client_id)).app
    if not form.name.strip():
        raise missing("name")
    request = _request(form, app)
    async with apps_icon.kept(call, form.icon) as icon:
        if icon or form.remove_icon:
            request.icon_picture = icon
        wanted = UpdateOwnAppRequest(access_token=call.token, form=WEB, app=request)
        await call.clients.own_apps.UpdateOwnApp(wanted)
    if icon or form.remove_icon:
        await apps_icon.drop(call, app.icon_picture)
    return redirect(url(call, f"{HERE}/{client_id}", done="saved"))


async def _show_delete(call: Call) -> Reply:
    """Ask whether the app is to go."""
    who = await signed_in(call)
    app = (await get(call, call.segments["client_id"])).app
    return await show_own(call, "apps_delete.html", who, here=url(call, f"{HERE}/{app.client_id}/delete"), app=app)


async def _delete(call: Call, _form: PageForm) -> Reply:
    """Delete the app."""
    await signed_in(call)
    app = (await get(call, call.segments["client_id"])).app
    request = DeleteOwnAppRequest(access_token=call.token, form=WEB, client_id=app.client_id)
    await call.clients.own_apps.DeleteOwnApp(request)
    await apps_icon.drop(call, app.icon_picture)
    return redirect(url(call, HERE, done="deleted"))


def _request(form: SettingsForm, app: App) -> UpdateAppRequest:
    return UpdateAppRequest(
        client_id=app.client_id,
        name=form.name.strip(),
        website=form.website.strip(),
        description=description(form),
        redirect_urls=StringList(values=lines(form.redirect_urls)),
        origins=StringList(values=lines(form.origins)),
        scopes=StringList(values=scopes(form, tuple(app.scopes))),
        allow_query_secret=bool(form.allow_query_secret),
        status_mode=form.status_mode,
    )


async def _show(
    call: Call, client_id: str, form: SettingsForm | None, error: GatepostError | None = None, *, done: str = ""
) -> Reply:
    who = await signed_in(call)
    found = await get(call, client_id)
    app = found.app
    switches = {"allow_query_secret": "yes" if app.allow_query_secret else "", "status_mode": app.status_mode}
    return await show_own(
        call,
        "apps_settings.html",
        who,
        error=error,
        names={"content": "icon"},
        here=url(call, f"{HERE}/{client_id}"),
        done=done,
        app=app,
        icon=picture_url(app.icon_picture, "large"),
        boxes=SCOPES,
        scope_words=own_words.SCOPES,
        form=form or filled(SettingsForm, app, **switches),
        public=app.type == AppType.APP_TYPE_PUBLIC,
        usage=_every_day(found.usage, today()),
        login=login_link(call.public_url, app.client_id),
        snippets=snippets(call.public_url, app.client_id),
    )


def _every_day(usage: Iterable[AppUsage], last: date) -> list[AppUsage]:
    """Return the last fourteen days, latest first, those without use too."""
    by_day = {each.day: each for each in usage}
    days = [(last - timedelta(days=back)).isoformat() for back in range(_DAYS)]
    return [by_day.get(day, AppUsage(day=day)) for day in days]


ROUTES = (
    Route("GET", "/apps/{client_id}", _show_page, SESSION, Limit.ORDINARY),
    Route("POST", "/apps/{client_id}", _save, SESSION, Limit.UPLOAD, Takes.UPLOAD),
    Route("GET", "/apps/{client_id}/delete", _show_delete, SESSION, Limit.ORDINARY),
    Route("POST", "/apps/{client_id}/delete", _delete, SESSION, Limit.ORDINARY),
)

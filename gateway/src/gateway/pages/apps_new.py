"""/apps/new, "Create App": its form, and the page that shows the secret, once, in the answer to the form alone.

The form brings the id that the app will have, so that sending it once more makes no second app.
"""

from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

from gatepost.auth.v1.apps_pb2 import AppType, CreateAppRequest, CreateOwnAppRequest, ListOwnAppsRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import Takes, text
from gateway.limits import Limit
from gateway.pages import apps_icon, own_words
from gateway.pages.apps import HERE
from gateway.pages.apps_form import SCOPES, AppForm, description, lines, scopes
from gateway.pages.own import WEB, show_own, signed_in
from gateway.reply import Reply
from gateway.web import url
from gateway.web.session import SESSION
from runtime.errors import GatepostError, missing

_HERE = "/apps/new"
_TYPES = {"": AppType.APP_TYPE_CONFIDENTIAL, "public": AppType.APP_TYPE_PUBLIC}


@dataclass(frozen=True, slots=True)
class NewAppForm(AppForm):
    """A new app; `id` was minted with the form."""

    id: str = text(default="")
    type: str = text(default="")


async def _show_page(call: Call) -> Reply:
    """Ask what the app is to be."""
    return await _show(call, NewAppForm(id=str(uuid4())))


async def _create(call: Call, form: NewAppForm) -> Reply:
    """Create the app and show its secret."""
    call.again = partial(_show, call, form)
    who = await signed_in(call)
    request = _request(form)
    async with apps_icon.kept(call, form.icon) as icon:
        request.icon_picture = icon
        wanted = CreateOwnAppRequest(access_token=call.token, form=WEB, app=request)
        answer = await call.clients.own_apps.CreateOwnApp(wanted)
    if answer.app.icon_picture != icon:  # the form was sent again: the app is there, with its first icon
        await apps_icon.drop(call, icon)
    return await show_own(
        call,
        "apps_created.html",
        who,
        here=url(call, f"{HERE}/{answer.app.client_id}"),
        app=answer.app,
        secret=answer.client_secret,
    )


def _request(form: NewAppForm) -> CreateAppRequest:
    if not form.name.strip():
        raise missing("name")
    return CreateAppRequest(
        id=_minted(form.id),
        name=form.name.strip(),
        type=_TYPES.get(form.type, AppType.APP_TYPE_CONFIDENTIAL),
        redirect_urls=lines(form.redirect_urls),
        scopes=scopes(form),
        origins=lines(form.origins),
        description=description(form),
        website=form.website.strip(),
    )


def _minted(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        return str(uuid4())


async def _show(call: Call, form: NewAppForm, error: GatepostError | None = None) -> Reply:
    who = await signed_in(call)
    answer = await call.clients.own_apps.ListOwnApps(ListOwnAppsRequest(access_token=call.token, form=WEB))
    return await show_own(
        call,
        "apps_new.html",
        who,
        error=error,
        names={"content": "icon"},
        here=url(call, _HERE),
        boxes=SCOPES,
        scope_words=own_words.SCOPES,
        form=form,
        may_create=answer.may_create,
    )


ROUTES = (
    Route("GET", _HERE, _show_page, SESSION, Limit.ORDINARY),
    Route("POST", _HERE, _create, SESSION, Limit.UPLOAD, Takes.UPLOAD),
)

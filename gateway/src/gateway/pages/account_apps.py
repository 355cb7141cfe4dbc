"""/account/apps: which apps a person has let in, what each receives, and how to end it."""

from gatepost.auth.v1.grants_pb2 import ListOwnGrantsRequest, RevokeGrantRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.limits import Limit
from gateway.pages.account import Seen
from gateway.pages.own import WEB, show_own, signed_in, uuid_of
from gateway.pages.own_words import SCOPES
from gateway.reply import Reply, redirect
from gateway.web import url
from gateway.web.forms import PageForm
from gateway.web.look import picture_url
from gateway.web.session import SESSION

_HERE = "/account/apps"


async def _show(call: Call, form: Seen) -> Reply:
    """Show the connected apps."""
    who = await signed_in(call)
    answer = await call.clients.grants.ListOwnGrants(ListOwnGrantsRequest(access_token=call.token, form=WEB))
    return await show_own(
        call,
        "account_apps.html",
        who,
        here=url(call, _HERE),
        done=form.done,
        granted=answer.granted,
        scopes=SCOPES,
        picture_url=picture_url,
    )


async def _revoke(call: Call, _form: PageForm) -> Reply:
    """Take an app's access back."""
    await signed_in(call)
    request = RevokeGrantRequest(access_token=call.token, form=WEB, id=uuid_of(call.segments["id"]))
    await call.clients.grants.RevokeGrant(request)
    return redirect(url(call, _HERE, done="revoked"))


ROUTES = (
    Route("GET", _HERE, _show, SESSION, Limit.ORDINARY),
    Route("POST", "/account/apps/{id}/revoke", _revoke, SESSION, Limit.ORDINARY),
)

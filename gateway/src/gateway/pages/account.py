"""/account: who somebody is to this site at a glance, and the way to everything he can change."""

from dataclasses import dataclass

from gatepost.auth.v1.accounts_pb2 import SendEmailProofRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.limits import Limit
from gateway.pages.own import WEB, show_own, shown_name, signed_in
from gateway.reply import Reply, redirect
from gateway.web import url
from gateway.web.forms import PageForm
from gateway.web.look import picture_url
from gateway.web.session import SESSION


@dataclass(frozen=True, slots=True)
class Seen:
    """What a redirect to a page of the account tells it: which change was made."""

    done: str = text(default="")


async def _overview(call: Call, form: Seen) -> Reply:
    """Show the account."""
    who = await signed_in(call)
    profile = await call.clients.profile(who.account.user_id)
    return await show_own(
        call,
        "account.html",
        who,
        here=url(call, "/account"),
        done=form.done,
        profile=profile,
        name=shown_name(who.account, profile),
        picture=picture_url(profile.picture, "larger"),
    )


async def _prove(call: Call, _form: PageForm) -> Reply:
    """Mail a link that proves the address."""
    await signed_in(call)
    await call.clients.accounts.SendEmailProof(SendEmailProofRequest(access_token=call.token, form=WEB))
    return redirect(url(call, "/account", done="proof-sent"))


ROUTES = (
    Route("GET", "/account", _overview, SESSION, Limit.ORDINARY),
    Route("POST", "/account/prove-email", _prove, SESSION, Limit.ORDINARY),
)

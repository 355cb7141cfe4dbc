"""/account/delete: closing an account. Every session ends at once; a mailed link takes it back during the grace."""

from dataclasses import dataclass
from functools import partial

from gatepost.auth.v1.accounts_pb2 import CloseOwnAccountRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.limits import Limit
from gateway.pages.own import WEB, lately_signed_in, show_own
from gateway.reply import Reply
from gateway.web import url
from gateway.web.forms import PageForm
from gateway.web.session import SESSION, cleared
from runtime.errors import GatepostError, missing

_HERE = "/account/delete"


@dataclass(frozen=True, slots=True)
class DeleteForm(PageForm):
    """That he means it."""

    sure: str = text(default="")


async def _show_page(call: Call) -> Reply:
    """Explain what deletion means, and ask."""
    return await _show(call, DeleteForm())


async def _close(call: Call, form: DeleteForm) -> Reply:
    """Close the account and sign out."""
    call.again = partial(_show, call, form)
    await lately_signed_in(call)
    if not form.sure:
        raise missing("sure")
    await call.clients.accounts.CloseOwnAccount(CloseOwnAccountRequest(access_token=call.token, form=WEB))
    return Reply(status=303, headers={"Location": url(call, "/sign-in", done="closed")}, cookies=(cleared(),))


async def _show(call: Call, form: DeleteForm, error: GatepostError | None = None) -> Reply:
    who = await lately_signed_in(call)
    return await show_own(
        call,
        "account_delete.html",
        who,
        error=error,
        here=url(call, _HERE),
        sure=bool(form.sure),
    )


ROUTES = (
    Route("GET", _HERE, _show_page, SESSION, Limit.ORDINARY),
    Route("POST", _HERE, _close, SESSION, Limit.PASSWORD),
)

"""/account/password: a new password, or a first one for who has signed in by mail so far."""

from dataclasses import dataclass
from functools import partial

from gatepost.auth.v1.accounts_pb2 import UpdateOwnAccountRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.limits import Limit
from gateway.pages.own import WEB, proof, show_own, signed_in
from gateway.reply import Reply, redirect
from gateway.web import url
from gateway.web.devices import kept
from gateway.web.forms import PageForm
from gateway.web.session import SESSION
from runtime.errors import GatepostError, missing

_HERE = "/account/password"


@dataclass(frozen=True, slots=True)
class PasswordForm(PageForm):
    """The new password, and the present one where it is asked for."""

    password: str = text(default="", secret=True)
    current_password: str = text(default="", secret=True)


async def _show_page(call: Call) -> Reply:
    """Ask for the new password."""
    return await _show(call, tried=False)


async def _save(call: Call, form: PasswordForm) -> Reply:
    """Set the password, and end every other session."""
    call.again = partial(_show, call, tried=bool(form.current_password))
    await signed_in(call)
    if not form.password:
        raise missing("password")
    request = UpdateOwnAccountRequest(access_token=call.token, form=WEB, password=form.password)
    if form.current_password:
        request.current_password = form.current_password
    changed = await call.clients.accounts.UpdateOwnAccount(request)
    target = url(call, "/account", done="password")
    return Reply(status=303, headers=redirect(target).headers, cookies=kept(call, changed.device))


async def _show(call: Call, error: GatepostError | None = None, *, tried: bool) -> Reply:
    who = await signed_in(call)
    return await show_own(
        call,
        "account_password.html",
        who,
        error=error,
        here=url(call, _HERE),
        proof=proof(who, error, tried=tried),
        tried=tried,
        shortest=(await call.project()).password_min_length,
    )


ROUTES = (
    Route("GET", _HERE, _show_page, SESSION, Limit.ORDINARY),
    Route("POST", _HERE, _save, SESSION, Limit.PASSWORD),
)

"""/account/password: a new password for the present one, or a first one for who has signed in by mail so far."""

from dataclasses import dataclass
from functools import partial

from gatepost.auth.v1.accounts_pb2 import UpdateOwnAccountRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.limits import Limit
from gateway.pages.own import WEB, lately_signed_in, show_own
from gateway.reply import Reply, redirect
from gateway.web import url
from gateway.web.devices import kept
from gateway.web.forms import PageForm
from gateway.web.session import SESSION
from runtime.errors import GatepostError, missing

_HERE = "/account/password"


@dataclass(frozen=True, slots=True)
class PasswordForm(PageForm):
    """The new password, and the present one where there is one."""

    password: str = text(default="", secret=True)
    current_password: str = text(default="", secret=True)


async def _show_page(call: Call) -> Reply:
    """Ask for the new password."""
    return await _show(call)


async def _save(call: Call, form: PasswordForm) -> Reply:
    """Set the password, and end every other session."""
    call.again = partial(_show, call)
    who = await lately_signed_in(call)
    wanted = {"password": form.password}
    if who.account.has_password:
        wanted["current_password"] = form.current_password
    absent = [name for name, value in wanted.items() if not value]
    if absent:
        raise missing(*absent)
    request = UpdateOwnAccountRequest(access_token=call.token, form=WEB, **wanted)
    changed = await call.clients.accounts.UpdateOwnAccount(request)
    target = url(call, "/account", done="password")
    return Reply(status=303, headers=redirect(target).headers, cookies=kept(call, changed.device))


async def _show(call: Call, error: GatepostError | None = None) -> Reply:
    who = await lately_signed_in(call)
    return await show_own(
        call,
        "account_password.html",
        who,
        error=error,
        here=url(call, _HERE),
        shortest=(await call.project()).password_min_length,
    )


ROUTES = (
    Route("GET", _HERE, _show_page, SESSION, Limit.ORDINARY),
    Route("POST", _HERE, _save, SESSION, Limit.PASSWORD),
)

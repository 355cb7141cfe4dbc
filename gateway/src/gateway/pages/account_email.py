"""/account/email: moving to another address. A code goes to the new one; with it, the address changes.

Whether the new address is somebody else's is never said: its owner gets a note instead of a code.
"""

from dataclasses import dataclass
from functools import partial

from gatepost.auth.v1.accounts_pb2 import CompleteEmailChangeRequest, StartEmailChangeRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.limits import Limit
from gateway.pages.account_code import CodeForm, ask_for_code, complete, show_code
from gateway.pages.account_step import Step
from gateway.pages.own import WEB, lately_signed_in, show_own
from gateway.reply import Reply
from gateway.web import url
from gateway.web.forms import PageForm
from gateway.web.session import SESSION
from runtime.errors import GatepostError

_HERE = "/account/email"
_CODE = "/account/email/code"
_KIND = "email"


@dataclass(frozen=True, slots=True)
class EmailForm(PageForm):
    """The first step."""

    email: str = text(default="")


async def _show_page(call: Call) -> Reply:
    """Ask for the new address."""
    return await _show(call, EmailForm())


async def _start(call: Call, form: EmailForm) -> Reply:
    """Mail a code to the new address."""
    call.again = partial(_show, call, form)
    await lately_signed_in(call)
    email = form.email.strip()
    request = StartEmailChangeRequest(access_token=call.token, form=WEB, email=email)
    answer = await call.clients.accounts.StartEmailChange(request)
    return ask_for_code(call, Step(_KIND, email, answer.handle), answer.expire_time)


async def _show_code_page(call: Call) -> Reply:
    """Ask for the code."""
    return await show_code(call, _KIND)


async def _complete(call: Call, form: CodeForm) -> Reply:
    """Change the address."""

    async def change(step: Step) -> None:
        request = CompleteEmailChangeRequest(
            access_token=call.token, form=WEB, email=step.target, handle=step.handle, code=form.code.strip()
        )
        await call.clients.accounts.CompleteEmailChange(request)

    return await complete(call, _KIND, change, url(call, "/account", done="email"))


async def _show(call: Call, form: EmailForm, error: GatepostError | None = None) -> Reply:
    who = await lately_signed_in(call)
    return await show_own(
        call,
        "account_email.html",
        who,
        error=error,
        here=url(call, _HERE),
        email=form.email,
    )


ROUTES = (
    Route("GET", _HERE, _show_page, SESSION, Limit.ORDINARY),
    Route("POST", _HERE, _start, SESSION, Limit.PASSWORD),
    Route("GET", _CODE, _show_code_page, SESSION, Limit.ORDINARY),
    Route("POST", _CODE, _complete, SESSION, Limit.ORDINARY),
)

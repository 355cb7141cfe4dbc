"""/account/phone: the number a person can be reached at. A code goes there by SMS; with it, the number is set."""

from dataclasses import dataclass
from functools import partial

from gatepost.auth.v1.accounts_pb2 import CompletePhoneChangeRequest, StartPhoneChangeRequest
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

_HERE = "/account/phone"
_CODE = "/account/phone/code"
_KIND = "phone"


@dataclass(frozen=True, slots=True)
class PhoneForm(PageForm):
    """The first step."""

    phone: str = text(default="")


async def _show_page(call: Call) -> Reply:
    """Ask for the new number."""
    return await _show(call, PhoneForm())


async def _start(call: Call, form: PhoneForm) -> Reply:
    """Send a code to the new number."""
    call.again = partial(_show, call, form)
    await lately_signed_in(call)
    phone = form.phone.strip()
    request = StartPhoneChangeRequest(access_token=call.token, form=WEB, phone=phone)
    answer = await call.clients.accounts.StartPhoneChange(request)
    return ask_for_code(call, Step(_KIND, phone, answer.handle), answer.expire_time)


async def _show_code_page(call: Call) -> Reply:
    """Ask for the code."""
    return await show_code(call, _KIND)


async def _complete(call: Call, form: CodeForm) -> Reply:
    """Set the number."""

    async def change(step: Step) -> None:
        request = CompletePhoneChangeRequest(
            access_token=call.token, form=WEB, phone=step.target, handle=step.handle, code=form.code.strip()
        )
        await call.clients.accounts.CompletePhoneChange(request)

    return await complete(call, _KIND, change, url(call, "/account/profile", done="phone"))


async def _show(call: Call, form: PhoneForm, error: GatepostError | None = None) -> Reply:
    who = await lately_signed_in(call)
    present = (await call.clients.profile(who.account.user_id)).phone
    return await show_own(
        call,
        "account_phone.html",
        who,
        error=error,
        here=url(call, _HERE),
        present=present,
        phone=form.phone,
    )


ROUTES = (
    Route("GET", _HERE, _show_page, SESSION, Limit.ORDINARY),
    Route("POST", _HERE, _start, SESSION, Limit.PASSWORD),
    Route("GET", _CODE, _show_code_page, SESSION, Limit.ORDINARY),
    Route("POST", _CODE, _complete, SESSION, Limit.ORDINARY),
)

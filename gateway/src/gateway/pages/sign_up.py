"""/sign-up: a new account, by the project's policy at once or after a mailed code (asked for at /sign-in/code)."""

from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from gatepost.auth.v1.accounts_pb2 import NewProfile
from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.sign_in_pb2 import SignUpRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.limits import Limit
from gateway.pages.door import Door, door_of, go_on, passed, show_door
from gateway.reply import Reply
from gateway.web.proof import ProvingForm, demanded
from gateway.web.session import VISITOR
from runtime.errors import GatepostError, missing


@dataclass(frozen=True, slots=True)
class _Arrival:
    next: str = text(default="")


@dataclass(frozen=True, slots=True)
class _SignUp(ProvingForm):
    first_name: str = text(default="")
    last_name: str = text(default="")
    email: str = text(default="")
    password: str = text(default="", secret=True)


async def _page(call: Call, form: _Arrival) -> Reply:
    """Show the sign-up page; who is signed in goes on."""
    door = await door_of(call, form.next)
    return await passed(call, door) or await _show(call, door, _SignUp())


async def _sign_up(call: Call, form: _SignUp) -> Reply:
    """Make the account, or mail the code that makes it."""
    door = await door_of(call, form.next)
    call.again = partial(_show, call, door, form)
    given = {"first_name": form.first_name, "email": form.email}
    if not door.by_mail:
        given["password"] = form.password
    absent = [name for name, value in given.items() if not value.strip()]
    if absent:
        raise missing(*absent)
    request = SignUpRequest(
        user_id=str(uuid4()),
        project=door.project.name,
        form=TokenForm.TOKEN_FORM_WEB,
        email=form.email.strip(),
        password=form.password,
        proof=form.worked,
        profile=NewProfile(first_name=form.first_name.strip(), last_name=form.last_name.strip()),
    )
    return await go_on(call, door, (await call.clients.sign_up(request)).result, form.email.strip())


async def _show(call: Call, door: Door, form: _SignUp, error: GatepostError | None = None) -> Reply:
    demand = await demanded(call, door.project.name)
    return await show_door(call, "sign_up.html", door, page="/sign-up", error=error, demand=demand, form=form)


ROUTES = (
    Route("GET", "/sign-up", _page, VISITOR, Limit.ORDINARY),
    Route("POST", "/sign-up", _sign_up, VISITOR, Limit.PASSWORD),
)

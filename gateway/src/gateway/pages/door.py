"""What the pages at the door share: whose door it is, where it leads, and which app sent the person here."""

from dataclasses import dataclass
from typing import Any

from gatepost.auth.v1.projects_pb2 import Project, SignInPolicy
from gatepost.auth.v1.sign_in_pb2 import DemandProofResponse, SignInResult
from gateway.call import Call
from gateway.pages import step
from gateway.reply import Reply, redirect
from gateway.web.asking import Asking, app_behind
from gateway.web.mistakes import NONE, mistakes
from gateway.web.paths import next_or, url
from gateway.web.proof import SCRIPT_URL
from gateway.web.session import enter, visitor
from gateway.web.templates import show
from runtime.errors import GatepostError, Reason

_LOGIN_IS_EMAIL = {"login": "email"}


@dataclass(frozen=True, slots=True)
class Door:
    """A project's door.

    Args:
        project: Whose.
        next: Where it leads; empty for the account page.
        asking: The app that sent the person here, if any.
    """

    project: Project
    next: str
    asking: Asking

    @property
    def by_mail(self) -> bool:
        """Whether people sign in by mailed code alone, without a password."""
        return self.project.sign_in_policy == SignInPolicy.SIGN_IN_POLICY_OTP


async def door_of(call: Call, target: str) -> Door:
    """Return the door of the request's project, leading to a `next` as it was sent.

    Raises:
        GatepostError: NOT_FOUND, also for a disabled project; UNAVAILABLE.
    """
    project = await call.project()
    if project.disabled:
        raise GatepostError(Reason.NOT_FOUND)
    checked = next_or(target, "")
    return Door(project, checked, await app_behind(call, checked, project.name))


async def passed(call: Call, door: Door) -> Reply | None:
    """Send on who is signed in already; None for all others."""
    if await visitor(call, door.project.name) is None:
        return None
    return redirect(door.next or url(call, "/account"))


async def show_door(
    call: Call,
    template: str,
    door: Door,
    *,
    page: str,
    error: GatepostError | None = None,
    demand: DemandProofResponse | None = None,
    **values: Any,
) -> Reply:
    """Answer with a page of the door. Beside `values`, its template has `door`, `mistakes`, `demand` and `script_url`.

    Args:
        call: The request.
        template: File in `templates/`.
        door: Whose page.
        page: Path that shows it again.
        error: What went wrong with its form, if anything did.
        demand: What its form has to prove, if anything.
        **values: For the template.
    """
    return await show(
        call,
        template,
        project=door.project,
        form_origins=door.asking.origins,
        scripted=demand is not None,
        here=url(call, page, next=door.next) if call.method == "POST" else "",
        door=door,
        demand=demand,
        script_url=SCRIPT_URL,
        mistakes=mistakes(error, _LOGIN_IS_EMAIL) if error else NONE,
        **values,
    )


async def go_on(call: Call, door: Door, result: SignInResult, email: str) -> Reply:
    """Go through the door with a session, or on to the page that asks for the code."""
    if result.HasField("session"):
        return await enter(call, result.session, door.next or url(call, "/account"))
    return step.lead_to(url(call, "/sign-in/code", next=door.next), result.challenge, email)

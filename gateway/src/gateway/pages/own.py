"""Who is signed in on a page of his own, and how such a page is shown. Used by `account*` and `apps*`.

A session counts for the pages of its own project only.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date
from typing import Any, Final
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from gatepost.auth.v1.accounts_pb2 import Account
from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.tokens_pb2 import AuthenticateResponse
from gatepost.users.v1.profiles_pb2 import Profile
from gateway.call import Call
from gateway.pages import times
from gateway.pages.own_words import in_our_words
from gateway.reply import Reply
from gateway.web.mistakes import NONE, mistakes
from gateway.web.templates import show
from runtime.clock import SystemClock
from runtime.errors import GatepostError, Reason

WEB: Final = TokenForm.TOKEN_FORM_WEB
_clock = SystemClock()


async def signed_in(call: Call) -> AuthenticateResponse:
    """Return the account and the session behind the browser's cookie.

    Raises:
        GatepostError: TOKEN_INVALID, TOKEN_EXPIRED; TOKEN_MISSING for a session of another project, which lives on.
    """
    answer = await call.clients.authenticate(call.token, WEB)
    if answer.account.project != (await call.project()).name:
        raise GatepostError(Reason.TOKEN_MISSING, "the session is of another project")
    return answer


async def lately_signed_in(call: Call) -> AuthenticateResponse:
    """As `signed_in`, for pages and forms that change what an account hangs on: who signed in long ago does it again.

    Raises:
        GatepostError: REAUTH_REQUIRED besides, which leads to the sign-in page and back.
    """
    who = await signed_in(call)
    if who.HasField("stale_time") and who.stale_time.ToDatetime(UTC) < _clock.now():  # else the core says
        raise GatepostError(Reason.REAUTH_REQUIRED, "the sign-in is too old")
    return who


async def show_own(
    call: Call,
    template: str,
    who: AuthenticateResponse,
    *,
    error: GatepostError | None = None,
    names: Mapping[str, str] | None = None,
    here: str,
    **values: Any,
) -> Reply:
    """Answer with a page for one who is signed in.

    Beside `values`, its template has `account`, `mistakes`, and for times `day`, `moment` and `ago`.

    Args:
        call: The request.
        template: File in `templates/`.
        who: From `signed_in`.
        error: What went wrong with the page's form, if anything did.
        names: The core's names of fields, where the form has others.
        here: Address that shows this page again.
        **values: For the template.
    """
    worded = NONE
    if error is not None:
        worded = mistakes(error, names)
        ours = in_our_words(error, names or {})
        worded = replace(worded, fields=defaultdict(str, {**worded.fields, **ours}))
    return await show(
        call,
        template,
        here=here,
        account=who.account,
        mistakes=worded,
        day=times.day,
        moment=times.moment,
        ago=lambda since: times.ago(since, _clock.now()),
        **values,
    )


def shown_name(account: Account, profile: Profile) -> str:
    """Return what somebody is called: his names, else his user name, else his number."""
    names = f"{profile.first_name} {profile.last_name}".strip()
    return names or account.username or f"user{profile.number}"


def uuid_of(segment: str) -> str:
    """Return the UUID in a segment of a path.

    Raises:
        GatepostError: NOT_FOUND if it is none.
    """
    try:
        return str(UUID(segment))
    except ValueError:
        raise GatepostError(Reason.NOT_FOUND) from None


def seconds_until(then: Timestamp) -> int:
    """Return how long it is until then, at least 0."""
    return max(0, int((then.ToDatetime(UTC) - _clock.now()).total_seconds()))


def today() -> date:
    """Return the day it is, in UTC."""
    return _clock.now().date()

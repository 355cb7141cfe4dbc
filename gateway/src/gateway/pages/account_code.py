"""The second step of changing an address or a number: asking for the code that went there, and acting on it.

`account_email` and `account_phone` begin a change and say what the code does; its page is below theirs.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.call import Call
from gateway.fields import text
from gateway.pages.account_step import Step, forgotten, keep, kept
from gateway.pages.own import seconds_until, show_own, signed_in
from gateway.reply import Reply, redirect
from gateway.web import url
from gateway.web.forms import PageForm
from runtime.errors import GatepostError


@dataclass(frozen=True, slots=True)
class CodeForm(PageForm):
    """What the person typed."""

    code: str = text(default="", secret=True)


def ask_for_code(call: Call, step: Step, expire_time: Timestamp) -> Reply:
    """Go on to the page that asks for the code, for as long as the challenge lives."""
    cookie = keep(step, seconds_until(expire_time))
    return Reply(status=303, headers={"Location": url(call, f"/account/{step.kind}/code")}, cookies=(cookie,))


async def show_code(call: Call, kind: str, error: GatepostError | None = None) -> Reply:
    """Ask for the code; back to the start if no change of this kind is under way."""
    who = await signed_in(call)
    start = f"/account/{kind}"
    step = kept(call, kind)
    if step is None:
        return redirect(url(call, start))
    here = url(call, f"{start}/code")
    return await show_own(call, "account_code.html", who, error=error, here=here, step=step, start=start)


async def complete(call: Call, kind: str, act: Callable[[Step], Awaitable[object]], target: str) -> Reply:
    """Act on the step that waits for its code, and go on to `target`; a code that is wrong is asked for again."""
    call.again = partial(show_code, call, kind)
    await signed_in(call)
    step = kept(call, kind)
    if step is None:
        return redirect(url(call, f"/account/{kind}"))
    await act(step)
    return Reply(status=303, headers={"Location": target}, cookies=(forgotten(),))

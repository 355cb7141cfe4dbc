"""How pages speak of errors: the form again with what went wrong, the sign-in page, or a page about the error."""

from collections.abc import Mapping

from gateway import problem
from gateway.call import Call
from gateway.dialect import Failure, Rendering
from gateway.reply import Reply, redirect
from gateway.web.errors import error_page
from gateway.web.locale import mark as _
from gateway.web.mistakes import mendable
from gateway.web.paths import url
from gateway.web.session import AGAIN, DEAD, cleared
from runtime.errors import GatepostError, Reason

_FORM_REFUSED = Rendering(
    403, _("This form was open for too long, or it was not sent from our page. Nothing has been changed.")
)

ERRORS: Mapping[Reason, Rendering] = {
    **problem.ERRORS,
    Reason.ROLE_FORBIDDEN: _FORM_REFUSED,
    Reason.EMAIL_TAKEN: Rendering(409, _("There is an account with this address already.")),
    Reason.CHALLENGE_FAILED: Rendering(400, _("That code is wrong or no longer valid.")),
    Reason.RATE_LIMITED: Rendering(429, _("That was tried too often. Nothing is wrong with your account.")),
}


async def body(failure: Failure) -> Reply:
    """Answer an error."""
    call, error = failure.call, failure.error
    if call.again is not None and mendable(error):
        try:
            return await call.again(error)
        except GatepostError as another:  # the form cannot be shown again: that is what there is to say now
            return await _without_form(call, another)
    return await _without_form(call, error)


async def _without_form(call: Call, error: GatepostError) -> Reply:
    if error.reason in DEAD:
        return _to_sign_in(call, error)
    if error.reason is Reason.REAUTH_REQUIRED:
        return redirect(url(call, "/sign-in", next=_page(call, 2), prompt=AGAIN))
    rendering = ERRORS[error.reason]
    return await error_page(call, error, rendering.status, rendering.text)


def _to_sign_in(call: Call, error: GatepostError) -> Reply:
    location = {"Location": url(call, "/sign-in", next=_page(call, 1))}
    # A session of another project is not taken from the browser: any site could sign people out there by a link.
    gone = () if error.reason is Reason.TOKEN_MISSING else (cleared(),)
    return Reply(status=303, headers=location, cookies=gone)


def _page(call: Call, depth: int) -> str:
    """Return where to go on after signing in: a form cannot be sent once more, so so many segments of its address."""
    if call.method in {"GET", "HEAD"}:
        return call.target
    path = call.target.removeprefix(f"/t/{call.mount}" if call.mount else "").partition("?")[0]
    return url(call, "/".join(path.split("/")[: depth + 1]))

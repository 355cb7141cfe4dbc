"""/confirm-email, /undo-email-change, /keep-account: what mailed links lead to.

Opening one only shows what it would do; pressing the button does it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from gatepost.auth.v1.links_pb2 import GetLinkRequest, LinkPurpose, UseLinkRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.limits import Limit
from gateway.reply import Reply, redirect
from gateway.web.forms import PageForm
from gateway.web.paths import url
from gateway.web.session import VISITOR
from gateway.web.templates import show
from runtime.errors import GatepostError, Reason

_PATHS: Mapping[LinkPurpose.ValueType, str] = {
    LinkPurpose.LINK_PURPOSE_VERIFY_EMAIL: "/confirm-email",
    LinkPurpose.LINK_PURPOSE_UNDO_EMAIL_CHANGE: "/undo-email-change",
    LinkPurpose.LINK_PURPOSE_KEEP_ACCOUNT: "/keep-account",
}


@dataclass(frozen=True, slots=True)
class _Opened:
    token: str = text(default="", secret=True)
    done: str = text(default="")


@dataclass(frozen=True, slots=True)
class _Pressed(PageForm):
    token: str = text(default="", secret=True)


async def _page(call: Call, form: _Opened) -> Reply:
    """Say what the link would do, or what it has done."""
    path = _path(call)
    if form.done:
        return await show(call, "link.html", path=path, token="", email="", done=True)
    call.again = partial(_dead, call)
    link = (await call.clients.links.GetLink(GetLinkRequest(token=form.token))).link
    if _PATHS.get(link.purpose) != path:
        raise GatepostError(Reason.CHALLENGE_FAILED)
    if link.project != (await call.project()).name:
        return redirect(f"/t/{link.project}{path}?token={form.token}")
    return await show(call, "link.html", path=path, token=form.token, email=link.email, done=False)


async def _press(call: Call, form: _Pressed) -> Reply:
    """Do what the link is for, once; what it is for never changes, so it may be looked at before."""
    path = _path(call)
    call.again = partial(_dead, call)
    link = (await call.clients.links.GetLink(GetLinkRequest(token=form.token))).link
    if _PATHS.get(link.purpose) != path:
        raise GatepostError(Reason.CHALLENGE_FAILED)
    await call.clients.links.UseLink(UseLinkRequest(token=form.token))
    return redirect(url(call, path, done="yes"))


async def _dead(call: Call, error: GatepostError) -> Reply:
    taken = error.reason is Reason.EMAIL_TAKEN
    return await show(call, "dead_link.html", taken=taken, restart="", here=url(call, _path(call)))


def _path(call: Call) -> str:
    path = call.target.partition("?")[0].removeprefix(f"/t/{call.mount}" if call.mount else "")
    return path.removesuffix("/")


ROUTES = tuple(
    route
    for path in _PATHS.values()
    for route in (
        Route("GET", path, _page, VISITOR, Limit.ORDINARY),
        Route("POST", path, _press, VISITOR, Limit.ORDINARY),
    )
)

"""What pages are dressed in: the stylesheet, projects' colours, the icon; and the one script.

Cached for ever, since addresses change.
"""

import re
from importlib.resources import files

from gateway.call import Call
from gateway.dialect import Route
from gateway.guards import ANYONE
from gateway.limits import Limit
from gateway.reply import Reply
from gateway.web.proof import SCRIPT, SCRIPT_VERSION
from gateway.web.style import STYLE, STYLE_VERSION, accent
from runtime.errors import GatepostError, Reason

IMMUTABLE = "public, max-age=31536000, immutable"
_ICON = (files("gateway") / "assets" / "gatepost.svg").read_bytes()
_ACCENT = re.compile(r"([0-9a-f]{6})\.css")
_DAY = "public, max-age=86400"


async def _stylesheet(call: Call) -> Reply:
    """Return the stylesheet."""
    current = call.query.get("v") == STYLE_VERSION
    return _file(STYLE, "text/css; charset=utf-8", IMMUTABLE if current else "no-cache")


async def _script(call: Call) -> Reply:
    """Return the script that works for forms under attack."""
    current = call.query.get("v") == SCRIPT_VERSION
    return _file(SCRIPT, "text/javascript; charset=utf-8", IMMUTABLE if current else "no-cache")


async def _accent(call: Call) -> Reply:
    """Return the stylesheet for a colour."""
    color = _ACCENT.fullmatch(call.segments["color"])
    if color is None:
        raise GatepostError(Reason.NOT_FOUND)
    return _file(accent(color[1]).encode(), "text/css; charset=utf-8", _DAY)


async def _icon(_call: Call) -> Reply:
    """Return the icon."""
    return _file(_ICON, "image/svg+xml", _DAY)


def _file(content: bytes, content_type: str, caching: str) -> Reply:
    headers = {
        "Content-Type": content_type,
        "Cache-Control": caching,
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Reply(body=content, headers=headers)


ROUTES = (
    Route("GET HEAD", "/assets/gatepost.css", _stylesheet, ANYONE, Limit.ORDINARY),
    Route("GET HEAD", "/assets/proof.js", _script, ANYONE, Limit.ORDINARY),
    Route("GET HEAD", "/assets/gatepost.svg", _icon, ANYONE, Limit.ORDINARY),
    Route("GET HEAD", "/assets/accent/{color}", _accent, ANYONE, Limit.ORDINARY),
)

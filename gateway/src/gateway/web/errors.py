"""Errors as pages: what happened in a sentence, and a way on. For `pages`, the house, and dialects that show pages."""

import math
from collections.abc import Mapping

from gateway.call import Call
from gateway.reply import Reply
from gateway.web.locale import mark as _
from gateway.web.templates import show
from runtime.errors import GatepostError

_OTHERS = _("This did not work")
_TITLES: Mapping[int, str] = {
    403: _("This is not allowed"),
    404: _("Page not found"),
    429: _("Too many tries"),
    500: _("Something went wrong"),
    503: _("We will be right back"),
}
_MINUTE_SECONDS = 60


async def error_page(call: Call, error: GatepostError, status: int, text: str, *, title: str = "") -> Reply:
    """Answer with a page about an error.

    Args:
        call: The request.
        error: What went wrong.
        status: HTTP status, which chooses the title.
        text: A message for people, translated by the template.
        title: Another title, likewise.
    """
    waits = math.ceil((error.retry_after_seconds or 0) / _MINUTE_SECONDS)
    return await show(
        call,
        "error.html",
        status=status,
        heading=title or _TITLES.get(status, _OTHERS),
        text=text,
        minutes=waits,
        again=call.target if call.method == "GET" else call.target.partition("?")[0],
        # A page that is not there is not there either when it is asked for again.
        repeatable=status not in {404, 405},
    )

"""Forms of pages: what each of them holds, and the one place where each of them is checked to be ours.

A handler that shows its page again with what went wrong sets `call.again` first; `pages.errors` uses it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import wraps

from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.reply import Reply
from gateway.web import csrf


@dataclass(frozen=True, slots=True)
class PageForm:
    """What every form of ours holds; pages add their fields. All are optional: what is missing, the core says.

    Args:
        csrf: See `csrf`.
        next: Where to go afterwards.
    """

    csrf: str = text(default="", secret=True)
    next: str = text(default="")


def protected(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Return the routes with every form checked before its handler sees it.

    Raises:
        ValueError: A route that changes something reads no PageForm, or one with required fields, which would be
            refused before it is checked.
    """
    return tuple(route if route.methods in {"GET", "GET HEAD"} else _checked(route) for route in routes)


def _checked(route: Route) -> Route:
    if route.form is None or not issubclass(route.form, PageForm):
        raise ValueError(f"{route.path} must read a PageForm")
    if any(field.metadata["spec"].required for field in fields(route.form)):
        raise ValueError(f"{route.path} must take a form without required fields")
    if "GET" in route.methods.split():
        raise ValueError(f"{route.path} must show and act by different routes")
    handler = route.handler

    @wraps(handler)
    async def check_first(call: Call, form: PageForm) -> Reply:
        csrf.check(call, form.csrf)
        return await handler(call, form)

    return replace(route, handler=check_first)

"""What a dialect is: a value that says which paths it owns, who answers them, and how every error reads.

A dialect is one file in `dialects/` and one entry in its tuple. Nothing here knows a particular one.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from inspect import signature
from typing import Any, get_type_hints

from gateway.call import Call
from gateway.fields import Takes
from gateway.guards import Guard
from gateway.limits import Limit
from gateway.reply import Reply
from runtime.errors import GatepostError, Reason

# `(call)`, or `(call, form)` where the second parameter's annotation says what is read (see `fields`).
Handler = Callable[..., Awaitable[Reply]]
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_ERROR_STATUSES = range(400, 600)


class StatusMode(StrEnum):
    """Whether errors carry their own HTTP status, or one for all as old clients expect. The body is the same."""

    STRICT = "strict"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class Rendering:
    """How one reason reads in one dialect.

    Args:
        status: Strict HTTP status; also what logs and metrics count in legacy mode.
        text: The wire's words.
        code: The wire's number or word, where the dialect has such.
    """

    status: int
    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a dialect makes an error's body from."""

    error: GatepostError
    rendering: Rendering
    call: Call
    mode: StatusMode = StatusMode.STRICT


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: its methods (space-separated), path, handler, who may call, and what a call may take.

    Args:
        methods: Such as `GET` or `GET POST`.
        path: Without trailing slash; a segment in braces matches anything and is named by it.
        handler: Makes the answer, or raises GatepostError; its docstring says what it does.
        guard: See `guards`.
        limit: See `limits`.
        takes: Where parameters are read; by default the query for GET and HEAD, the body for others.
        answer: What a success looks like in JSON: a TypedDict, or several; None for pages, pictures and redirects.
        form: What the handler reads, from its signature; None if it reads nothing. Not given.

    Raises:
        ValueError: The path or a method is not well-formed.
    """

    methods: str
    path: str
    handler: Handler
    guard: Guard
    limit: Limit
    takes: Takes | None = None
    answer: Any = None
    form: Any = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "form", _form_of(self.handler))
        if not self.path.startswith("/") or (self.path.endswith("/") and self.path != "/"):
            raise ValueError(f"route {self.path!r} must begin with a slash and not end with one")
        if not self.methods or not _METHODS.issuperset(self.methods.split()):
            raise ValueError(f"route {self.path!r} has odd methods {self.methods!r}")

    def takes_for(self, method: str) -> Takes:
        """Where parameters of a request by this method are read."""
        return self.takes or (Takes.QUERY if method in {"GET", "HEAD"} else Takes.BODY)


def _form_of(handler: Handler) -> Any:
    parameters = list(signature(handler).parameters)
    return get_type_hints(handler)[parameters[1]] if len(parameters) > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A wire format.

    Args:
        name: For logs, metrics and settings of projects.
        prefixes: Paths it owns with everything below, so that an unknown one is answered in its own words; a segment
            may hold `*` for any characters. The longest one wins.
        routes: Its endpoints, all under its prefixes.
        errors: How each reason reads; total.
        error_body: Makes the body of an error; the status of its reply is set from `errors`, unless it has one of its
            own: a redirect, or where part of the dialect answers otherwise than the rest.
        default_mode: See StatusMode. An error's metadata `status_mode` overrides it for one app.
        legacy_status: HTTP status of every error in legacy mode; None if the dialect has no such mode.
        cors: Whether pages of listed origins may call it from a browser.
        mountable: Whether it is also served below `/t/{project}`.
        everywhere: Whether every project has it, whatever dialects it lists: our own pages.
        error_answer: What an error looks like in JSON: a TypedDict, or several; None where it is a page.
        app_parameter: By which an app names itself; its status mode then holds for what is refused before a service
            has looked at the app, too. Empty if no app of this dialect has a mode of its own.

    Raises:
        ValueError: The table is not total, a route lies outside, or the modes do not fit.
    """

    name: str
    prefixes: tuple[str, ...]
    routes: tuple[Route, ...]
    errors: Mapping[Reason, Rendering]
    error_body: Callable[[Failure], Awaitable[Reply]]
    default_mode: StatusMode = StatusMode.STRICT
    legacy_status: int | None = None
    cors: bool = True
    mountable: bool = False
    everywhere: bool = False
    error_answer: Any = None
    app_parameter: str = ""

    def __post_init__(self) -> None:
        silent = [reason.value for reason in Reason if reason not in self.errors]
        if silent:
            raise ValueError(f"dialect {self.name} says nothing about {', '.join(silent)}")
        odd = [reason.value for reason, rendering in self.errors.items() if rendering.status not in _ERROR_STATUSES]
        if odd:
            raise ValueError(f"dialect {self.name} has no error status for {', '.join(odd)}")
        if self.default_mode is StatusMode.LEGACY and self.legacy_status is None:
            raise ValueError(f"dialect {self.name} has no legacy status")

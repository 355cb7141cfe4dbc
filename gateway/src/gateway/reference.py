"""A dialect's endpoints for people to read, from the same route table and types as its OpenAPI document. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.dialect import Dialect, Route
from gateway.fields import Takes, describe

_SHOWS = {
    "bearer": "Needs an access token in the header Authorization.",
    "session": "Needs a browser's session.",
}
_PLACES = {
    Takes.QUERY: "query",
    Takes.BODY: "body",
    Takes.QUERY_AND_BODY: "query or the body",
    Takes.UPLOAD: "body",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A parameter, or a member of an answer."""

    name: str
    kind: str
    required: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """An answer: what its type says of itself, and its members."""

    about: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route."""

    methods: str
    path: str
    summary: str
    shows: str
    where: str
    takes: tuple[Member, ...]
    answers: tuple[Shape, ...]


def endpoints(dialect: Dialect) -> tuple[Endpoint, ...]:
    """Describe every route of a dialect, in the order of its table."""
    return tuple(_endpoint(route) for route in dialect.routes)


def errors(dialect: Dialect) -> dict[int, list[str]]:
    """Every text by its strict status, ascending."""
    found: dict[int, list[str]] = {}
    for rendering in sorted(dialect.errors.values(), key=lambda each: each.status):
        texts = found.setdefault(rendering.status, [])
        if rendering.text not in texts:
            texts.append(rendering.text)
    return found


def _endpoint(route: Route) -> Endpoint:
    answers = route.answer if isinstance(route.answer, tuple) else (route.answer,)
    return Endpoint(
        methods=route.methods.replace(" HEAD", "").replace(" ", ", "),
        path=route.path,
        summary=(route.handler.__doc__ or "").strip().partition("\n")[0],
        shows=_SHOWS.get(route.guard.name, ""),
        where=_PLACES[route.takes_for(route.methods.split()[0])],
        takes=tuple(
            Member(field.name, _kind(field.schema), field.required)
            for field in (describe(route.form) if route.form else ())
        ),
        answers=tuple(_shape(answer) for answer in answers if answer is not None),
    )


def _shape(answer: Any) -> Shape:
    (reference,), components = msgspec.json.schema_components((answer,))
    schema = components[reference["$ref"].rpartition("/")[2]]
    required = schema.get("required", ())
    members = (
        Member(name, _kind(each, components), name in required) for name, each in schema.get("properties", {}).items()
    )
    return Shape(schema.get("description", ""), tuple(members))


def _kind(schema: Mapping[str, Any], components: Mapping[str, Any] | None = None) -> str:
    """Say what a value is, in a few words."""
    if "$ref" in schema and components is not None:
        return _kind(components[schema["$ref"].rpartition("/")[2]], components)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each, components) for each in schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"“{value}”" for value in schema["enum"])
    if "const" in schema:
        return f"“{schema['const']}”"
    kind = schema.get("type", "anything")
    if schema.get("format") == "email":
        return "e-mail address"
    return kind if isinstance(kind, str) else " or ".join(kind)

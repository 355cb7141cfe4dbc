"""OpenAPI 3.1 documents of dialects, made from the route tables that serve. Called by `documentation`. Pure.

What a route reads comes from its handler's form, what it answers from its `answer`, what can go wrong from the
dialect's error table; so a document cannot say what the gateway does not do without a test noticing.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.dialect import Dialect, Route
from gateway.fields import Described, Takes, describe

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_SEGMENT = re.compile(r"\{(\w+)\}")
_REF = "#/components/schemas/{name}"
_SCHEMES: Mapping[str, Mapping[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "session key": {"type": "apiKey", "in": "header", "name": "X-API-KEY"},
}


def document(dialect: Dialect, public_url: str, version: str) -> dict[str, Any]:
    """Describe a dialect.

    Args:
        dialect: Whose routes.
        public_url: Base of every path, without a trailing slash.
        version: Of Gatepost.
    """
    schemas = _Schemas(dialect)
    paths: dict[str, dict[str, Any]] = {}
    for route in dialect.routes:
        for method in route.methods.split():
            if method != "HEAD":
                paths.setdefault(route.path, {})[method.lower()] = _operation(dialect, route, method, schemas)
    guards = {route.guard.name for route in dialect.routes}
    servers: list[dict[str, Any]] = [{"url": public_url}]
    if dialect.mountable:
        servers.append({"url": public_url + "/t/{project}", "variables": {"project": {"default": "default"}}})
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Gatepost: {dialect.name}", "version": version},
        "servers": servers,
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": _errors(dialect, schemas),
            "securitySchemes": {name.replace(" ", "_"): dict(s) for name, s in _SCHEMES.items() if name in guards},
        },
    }


class _Schemas:
    """The components of a document, and references into them."""

    def __init__(self, dialect: Dialect) -> None:
        kinds = [kind for route in dialect.routes for kind in _several(route.answer)]
        kinds += _several(dialect.error_answer)
        references, self.components = msgspec.json.schema_components(dict.fromkeys(kinds), ref_template=_REF)
        self._references = dict(zip(dict.fromkeys(kinds), references, strict=True))

    def of(self, *answers: Any) -> dict[str, Any] | None:
        """Refer to the kinds an answer may be of; None if it is no JSON."""
        found = [self._references[kind] for answer in answers for kind in _several(answer)]
        if not found:
            return None
        return found[0] if len(found) == 1 else {"anyOf": found}


def _several(answer: Any) -> tuple[Any, ...]:
    if answer is None:
        return ()
    return answer if isinstance(answer, tuple) else (answer,)


def _operation(dialect: Dialect, route: Route, method: str, schemas: _Schemas) -> dict[str, Any]:
    asked = describe(route.form) if route.form else ()
    takes = route.takes_for(method)
    has_body = takes is not Takes.QUERY and method not in {"GET", "DELETE"}
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', route.path)}",
        "summary": (route.handler.__doc__ or "").strip().partition("\n")[0],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _SEGMENT.findall(route.path)
        ],
        "responses": _responses(dialect, route, schemas),
    }
    if asked and has_body:
        schema = _object(asked)
        required = takes is Takes.BODY and any(field.required for field in asked)
        operation["requestBody"] = {
            "required": required,
            "content": {_JSON: {"schema": schema}, _FORM: {"schema": schema}},
        }
    elif asked:
        operation["parameters"] += [
            {"name": field.name, "in": "query", "required": field.required, "schema": dict(field.schema)}
            for field in asked
        ]
    if route.guard.name in _SCHEMES:
        operation["security"] = [{route.guard.name.replace(" ", "_"): []}]
    return operation


def _object(asked: tuple[Described, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": {field.name: dict(field.schema) for field in asked}}
    required = [field.name for field in asked if field.required]
    return schema | ({"required": required} if required else {})


def _responses(dialect: Dialect, route: Route, schemas: _Schemas) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    # In legacy mode errors come as successes.
    errors_as = (dialect.error_answer,) if dialect.legacy_status == HTTPStatus.OK else ()
    body = schemas.of(route.answer, *errors_as)
    responses: dict[str, Any] = {"200": success}
    if route.answer is None:
        success["description"] = "Done: a page, a picture, or a redirect."
        responses["302"] = responses["303"] = {"description": "Elsewhere."}
    else:
        success["content"] = {_JSON: {"schema": body}}
        if errors_as:
            success["description"] = "Done; or, in legacy mode, an error, which the header X-Error names."
    kind = "Error" if route.answer is not None else "Refusal"
    statuses = sorted({rendering.status for rendering in dialect.errors.values()})
    return responses | {str(status): {"$ref": f"#/components/responses/{kind}{status}"} for status in statuses}


def _errors(dialect: Dialect, schemas: _Schemas) -> dict[str, Any]:
    """Describe each status once: as JSON (`Error…`), and where a page answers (`Refusal…`)."""
    texts: dict[int, list[str]] = {}
    for rendering in dialect.errors.values():
        known = texts.setdefault(rendering.status, [])
        if rendering.text not in known:
            known.append(rendering.text)
    schema = schemas.of(dialect.error_answer)
    content = {"content": {_JSON: {"schema": schema}}} if schema else {}
    described = {status: {"description": " / ".join(said)} for status, said in sorted(texts.items())}
    errors: dict[str, Any] = {f"Error{status}": {**each, **content} for status, each in described.items()}
    return errors | {f"Refusal{status}": each for status, each in described.items()}

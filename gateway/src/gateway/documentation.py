"""What the gateway says of itself to developers: `/openapi/{dialect}.json`, and the same as pages below `/docs`.

Built by `main` from the dialects it serves, as one more value of the kind that dialects are.
"""

from collections.abc import Iterable
from importlib.metadata import version

from gateway import problem, reference
from gateway.call import Call
from gateway.dialect import Dialect, Route
from gateway.guards import ANYONE
from gateway.limits import Limit
from gateway.openapi import document
from gateway.reply import Reply
from gateway.web.templates import show
from runtime.errors import GatepostError, Reason


def documentation(dialects: Iterable[Dialect], public_url: str) -> Dialect:
    """Make the owner of `/openapi` and `/docs`."""
    release = version("gatepost-gateway")
    named = {dialect.name: dialect for dialect in dialects}
    documents = {f"{name}.json": document(dialect, public_url, release) for name, dialect in named.items()}
    references = {name: reference.endpoints(dialect) for name, dialect in named.items()}

    async def openapi(call: Call) -> Reply:
        """Return a dialect's OpenAPI document."""
        if call.segments["file"] not in documents:
            raise GatepostError(Reason.NOT_FOUND)
        return Reply(json=documents[call.segments["file"]])

    async def overview(call: Call) -> Reply:
        """List the dialects."""
        return await show(call, "docs.html", references=references)

    async def dialect_page(call: Call) -> Reply:
        """Show a dialect's endpoints for people to read."""
        dialect = named.get(call.segments["dialect"])
        if dialect is None:
            raise GatepostError(Reason.NOT_FOUND)
        return await show(
            call,
            "docs_dialect.html",
            name=dialect.name,
            endpoints=references[dialect.name],
            errors=reference.errors(dialect),
            legacy=dialect.legacy_status,
        )

    return Dialect(
        name="documentation",
        prefixes=("/openapi", "/docs"),
        routes=(
            Route("GET HEAD", "/openapi/{file}", openapi, ANYONE, Limit.ORDINARY),
            Route("GET HEAD", "/docs", overview, ANYONE, Limit.ORDINARY),
            Route("GET HEAD", "/docs/{dialect}", dialect_page, ANYONE, Limit.ORDINARY),
        ),
        errors=problem.ERRORS,
        error_body=problem.body,
    )

"""The local outbox as pages and JSON, for development: every mail that would have gone out, with its code to copy.

Mounted by `main` only when the settings say so; it shows everybody's codes.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from uuid import UUID

from gatepost.notify.v1.messages_pb2 import Channel, GetMessageRequest, ListMessagesRequest, Message, MessageStatus
from gateway import problem
from gateway.call import Call
from gateway.dialect import Dialect, Route
from gateway.fields import text
from gateway.guards import ANYONE
from gateway.limits import Limit
from gateway.reply import Reply, page
from gateway.web.templates import render
from runtime.errors import GatepostError, Reason

_FRAMING_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
# A mail brings its own inline styles and nothing else; it cannot run, load, submit or leave its frame.
_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"


@dataclass(frozen=True, slots=True)
class _Filter:
    to: str = text(default="")
    page: str = text(default="")


def outbox() -> Dialect:
    """Make the owner of `/outbox`."""
    style = (files("gateway") / "assets" / "outbox.css").read_bytes()

    async def stylesheet(_call: Call) -> Reply:
        return Reply(body=style, headers={"Content-Type": "text/css; charset=utf-8"})

    return Dialect(
        name="outbox",
        prefixes=("/outbox",),
        routes=(
            Route("GET", "/outbox", _list_page, ANYONE, Limit.ORDINARY),
            Route("GET", "/outbox/messages", _list_json, ANYONE, Limit.ORDINARY),
            Route("GET", "/outbox/style.css", stylesheet, ANYONE, Limit.ORDINARY),
            Route("GET", "/outbox/{id}", _message_page, ANYONE, Limit.ORDINARY),
            Route("GET", "/outbox/{id}/html", _message_html, ANYONE, Limit.ORDINARY),
        ),
        errors=problem.ERRORS,
        error_body=problem.body,
        cors=False,
    )


async def _list_page(call: Call) -> Reply:
    wanted = await call.read(_Filter)
    messages, older = await _list(call, wanted)
    return page(render("outbox.html", messages=messages, to=wanted.to, older=older))


async def _list_json(call: Call) -> Reply:
    messages, _ = await _list(call, await call.read(_Filter))
    return Reply(json={"messages": messages})


async def _message_page(call: Call) -> Reply:
    message = _describe(await _get(call))
    return page(render("outbox_message.html", message=message), policy=_FRAMING_POLICY)


async def _message_html(call: Call) -> Reply:
    return page((await _get(call)).html, policy=_MAIL_POLICY)


async def _list(call: Call, wanted: _Filter) -> tuple[list[dict[str, Any]], str]:
    answer = await call.clients.messages.ListMessages(ListMessagesRequest(to=wanted.to.strip(), page_token=wanted.page))
    return [_describe(message) for message in answer.messages], answer.next_page_token


async def _get(call: Call) -> Message:
    try:
        message_id = str(UUID(call.segments["id"]))
    except ValueError:
        raise GatepostError(Reason.NOT_FOUND) from None
    return (await call.clients.messages.GetMessage(GetMessageRequest(id=message_id))).message


def _describe(message: Message) -> dict[str, Any]:
    """Name a message's parts as `gatepost outbox list` does."""
    return {
        "id": message.id,
        "to": message.to,
        "channel": Channel.Name(message.channel).removeprefix("CHANNEL_").lower(),
        "template": message.template,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "code": message.code,
        "link": message.link,
        "created_at": message.create_time.ToJsonString(),
        "status": MessageStatus.Name(message.status).removeprefix("MESSAGE_STATUS_").lower(),
    }

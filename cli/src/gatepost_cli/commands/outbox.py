"""`gatepost outbox`: what was sent to whom, and what became of it."""

from enum import StrEnum
from typing import Annotated

import typer

from gatepost.notify.v1.messages_pb2 import ListMessagesRequest, Message, MessageStatus, RetryMessageRequest
from gatepost_cli import console, documents
from gatepost_cli.commands.options import DataDirOption, JsonOption, LimitOption
from gatepost_cli.operate import Rpc, operate

outbox = typer.Typer(help="Look at messages, and send dead ones again.", no_args_is_help=True, add_completion=False)
COLUMNS = ("created_at", "to", "channel", "template", "subject", "code", "link", "status", "id")
PAGE = 100


class Status(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"
    SKIPPED = "skipped"


STATUSES = {
    Status.PENDING: MessageStatus.MESSAGE_STATUS_PENDING,
    Status.SENT: MessageStatus.MESSAGE_STATUS_SENT,
    Status.DEAD: MessageStatus.MESSAGE_STATUS_DEAD,
    Status.SKIPPED: MessageStatus.MESSAGE_STATUS_SKIPPED,
}


@outbox.command("list")
def list_newest(
    *,
    to: Annotated[str, typer.Option(help="Only to this address.")] = "",
    status: Annotated[Status | None, typer.Option(help="Only those that stand so.")] = None,
    limit: LimitOption = PAGE,
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """List messages, newest first; their text is kept while nothing is configured to send it."""

    async def work(rpc: Rpc) -> list[Message]:
        found: list[Message] = []
        request = ListMessagesRequest(to=to)
        if status is not None:
            request.status = STATUSES[status]
        while True:
            request.page_size = min(limit - len(found), PAGE)
            page = await rpc.messages.ListMessages(request)
            found += page.messages
            if not page.next_page_token or len(found) >= limit:
                return found
            request.page_token = page.next_page_token

    console.answers("messages", [documents.message(each) for each in operate(folder, work)], COLUMNS, as_json=as_json)


@outbox.command()
def retry(
    *,
    message_id: Annotated[str, typer.Argument(help="The message's id.", show_default=False)],
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a dead message back in the queue."""

    async def work(rpc: Rpc) -> Message:
        return (await rpc.messages.RetryMessage(RetryMessageRequest(id=message_id))).message

    console.answer({"message": documents.message(operate(folder, work))}, as_json=as_json)

"""gatepost.notify.v1.MessageService on top of `Outbox`."""

from typing import Any

from grpc.aio import ServicerContext

from gatepost.notify.v1 import messages_pb2 as pb
from gatepost.notify.v1.messages_pb2_grpc import MessageServiceServicer
from notify_service.model import Channel, Draft, Message, Status
from notify_service.outbox import Outbox
from notify_service.rpc.values import parse_time, parse_uuid, timestamp
from runtime.errors import invalid

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["MessageService"].full_name
Context = ServicerContext[Any, Any]
_STATUS = {
    Status.PENDING: pb.MESSAGE_STATUS_PENDING,
    Status.SENT: pb.MESSAGE_STATUS_SENT,
    Status.DEAD: pb.MESSAGE_STATUS_DEAD,
    Status.SKIPPED: pb.MESSAGE_STATUS_SKIPPED,
}
_STATUS_OF = {value: status for status, value in _STATUS.items()}
_CHANNEL = {Channel.MAIL: pb.CHANNEL_MAIL, Channel.SMS: pb.CHANNEL_SMS, Channel.PUSH: pb.CHANNEL_PUSH}
_CHANNEL_OF = {value: channel for channel, value in _CHANNEL.items()}


class MessageRpc(MessageServiceServicer):
    """Takes and shows messages.

    Args:
        outbox: The use cases.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def SendMessage(self, request: pb.SendMessageRequest, _context: Context) -> pb.SendMessageResponse:
        """See the contract."""
        channel = _CHANNEL_OF.get(request.channel)
        if channel is None:
            raise invalid("channel", "The channel must be one this version knows.")
        draft = Draft(
            id=parse_uuid("id", request.id),
            channel=channel,
            to=request.to,
            template=request.template,
            language=request.language,
            data={name: request.data[name] for name in request.data},
            project=request.project,
            expires_at=parse_time("expire_time", request.expire_time) if request.HasField("expire_time") else None,
            brand=request.brand,
            accent_color=request.accent_color,
        )
        return pb.SendMessageResponse(message=_message(await self._outbox.take(draft)))

    async def GetMessage(self, request: pb.GetMessageRequest, _context: Context) -> pb.GetMessageResponse:
        """See the contract."""
        return pb.GetMessageResponse(message=_message(await self._outbox.get(parse_uuid("id", request.id))))

    async def ListMessages(self, request: pb.ListMessagesRequest, _context: Context) -> pb.ListMessagesResponse:
        """See the contract."""
        status = None
        if request.status != pb.MESSAGE_STATUS_UNSPECIFIED:
            status = _STATUS_OF.get(request.status)
            if status is None:
                raise invalid("status", "The status must be one this version knows.")
        found, next_page_token = await self._outbox.page(
            to=request.to, status=status, page_size=request.page_size, page_token=request.page_token
        )
        return pb.ListMessagesResponse(
            messages=[_message(message) for message in found], next_page_token=next_page_token
        )

    async def RetryMessage(self, request: pb.RetryMessageRequest, _context: Context) -> pb.RetryMessageResponse:
        """See the contract."""
        return pb.RetryMessageResponse(message=_message(await self._outbox.retry(parse_uuid("id", request.id))))


def _message(message: Message) -> pb.Message:
    return pb.Message(
        id=str(message.id),
        channel=_CHANNEL[message.channel],
        to=message.to,
        template=message.template,
        language=message.content.language,
        subject=message.content.subject,
        text=message.content.text,
        html=message.content.html,
        code=message.content.code,
        link=message.content.link,
        status=_STATUS[message.status],
        attempts=message.attempts,
        last_error=message.last_error,
        message_id=message.message_id,
        create_time=timestamp(message.created_at),
        next_attempt_time=timestamp(message.next_attempt_at),
        sent_time=timestamp(message.sent_at),
        project=message.project,
    )

"""What this gateway changes itself: forgotten before the handler goes on, so that a writer reads his own write.

`clients` puts it between stubs and a channel. Methods that say NO_SIDE_EFFECTS pass untouched, and those that change
nothing we keep. After any other, whoever its request and its answer name is forgotten; where they name nobody, we wait
until the change has been told (`watch`).
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.descriptor_pool import Default

from gateway.memory import Memory

# How messages name whose answers do not hold any more.
_USERS = ("user_id", "account.user_id", "profile.user_id")
_APPS = ("client_id",)
# These make what nobody can have asked for yet, or change what no answer holds. When they refuse, ExchangeCode and
# RefreshTokens may end a session: none that whoever calls goes on with, so it is soon enough when it is told.
UNSEEN = frozenset(
    {
        "CheckPassword",
        "CreateGrant",
        "CreatePicture",
        "DeletePicture",
        "ExchangeCode",
        "IssueCode",
        "RefreshTokens",
        "SignIn",
        "SignInWithIdentity",
        "SignUp",
        "StartPasswordReset",
        "VerifyChallenge",
    }
)


class OwnWrites:
    """A channel, as far as stubs of unary methods need one.

    Args:
        channel: To the service.
        memories: What its methods may change.
        user_of: Returns whose the access token of a request is, empty if that is not known here.
        catch_up: Waits until everything that was changed has been told.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        memories: Iterable[Memory[Any]],
        user_of: Callable[[Any], str],
        catch_up: Callable[[], Awaitable[object]],
    ) -> None:
        self._channel = channel
        self._memories = tuple(memories)
        self._user_of = user_of
        self._catch_up = catch_up

    def unary_unary(self, method: str, *args: Any, **options: Any) -> Any:
        """Return what calls a method."""
        rpc: Any = self._channel.unary_unary(method, *args, **options)
        descriptor: MethodDescriptor = Default().FindMethodByName(method[1:].replace("/", "."))
        return rpc if is_reading(descriptor) or descriptor.name in UNSEEN else self._writing(rpc, descriptor)

    def _writing(self, rpc: Callable[..., Awaitable[Any]], method: MethodDescriptor) -> Callable[..., Awaitable[Any]]:
        asked, answered = named_by(method.input_type), named_by(method.output_type)
        by_token = "access_token" in method.input_type.fields_by_name

        async def call(request: Any, **options: Any) -> Any:
            keys = set(asked(request))
            if by_token and (user_id := self._user_of(request)):
                keys.update(_of_user(user_id))
            try:
                answer = await rpc(request, **options)
                keys.update(answered(answer))
            finally:  # what failed may have happened nevertheless
                for memory in self._memories:
                    memory.forget(keys)
            if not any(key.startswith("account:") for key in keys):
                await self._catch_up()
            return answer

        return call


def is_reading(method: MethodDescriptor) -> bool:
    """Say whether a method changes nothing."""
    return bool(method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS)


def named_by(message: Descriptor) -> Callable[[Any], Iterator[str]]:
    """Return what reads the keys that messages of a type name."""
    users = [attrgetter(path) for path in _USERS if _has(message, path)]
    apps = [attrgetter(path) for path in _APPS if _has(message, path)]

    def read(of: Any) -> Iterator[str]:
        for get in users:
            if user_id := get(of):
                yield from _of_user(user_id)
        for get in apps:
            yield f"app:{get(of)}"

    return read


def _of_user(user_id: str) -> tuple[str, str]:
    return f"account:{user_id}", f"profile:{user_id}"


def _has(message: Descriptor, path: str) -> bool:
    at: Descriptor | None = message
    for name in path.split("."):
        if at is None or name not in at.fields_by_name:
            return False
        at = at.fields_by_name[name].message_type
    return True

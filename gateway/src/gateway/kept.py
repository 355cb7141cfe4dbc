"""What the gateway keeps of the services' answers: whose a token is, and profiles. Made by `main`, used by `clients`.

Which keys an answer depends on is said here, and how long it may be used at most. `memory` keeps it, `watch` hears what
changes, `own_writes` forgets what this gateway changes.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from time import time
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from gatepost.auth.v1.forms_pb2 import TokenForm
from gatepost.auth.v1.tokens_pb2 import AuthenticateResponse
from gatepost.users.v1.profiles_pb2 import Profile
from gateway.memory import Memory
from gateway.own_writes import OwnWrites
from gateway.watch import Watch
from runtime.context import current
from runtime.credentials import Metadata

_NANOSECONDS = 1e-9


class Kept:
    """Memories of tokens and profiles, and what keeps them right.

    Args:
        auth: Channel to auth-service.
        users: Channel to user-service.
        credential: Returns metadata that proves who calls, for the name of a service.
        seconds: How long an answer is kept.
        entries: How many of each kind are.
        now: Returns the time in seconds since 1970.
    """

    def __init__(
        self,
        *,
        auth: grpc.aio.Channel,
        users: grpc.aio.Channel,
        credential: Callable[[str], Metadata],
        seconds: float,
        entries: int,
        now: Callable[[], float] = time,
    ) -> None:
        self._seconds = seconds
        self._now = now
        self.tokens: Memory[AuthenticateResponse] = Memory(
            "token", keys=_token_keys, lives=self._token_lives, entries=entries
        )
        self.profiles: Memory[Profile] = Memory(
            "profile", keys=_profile_keys, lives=lambda _profile: seconds, entries=entries
        )
        self._watches = [
            Watch(service, channel, partial(credential, service), memory)
            for service, channel, memory in (
                ("auth-service", auth, self.tokens),
                ("user-service", users, self.profiles),
            )
        ]
        # auth-service changes profiles, too; user-service knows no accounts.
        self.auth = OwnWrites(auth, (self.tokens, self.profiles), self._user_of, self._catch_up)
        self.users = OwnWrites(users, (self.profiles,), self._user_of, self._catch_up)

    def start(self) -> None:
        """Begin to watch."""
        for watch in self._watches:
            watch.start()

    async def stop(self) -> None:
        """End watching."""
        await asyncio.gather(*(watch.stop() for watch in self._watches))

    def _token_lives(self, answer: AuthenticateResponse) -> float:
        """Return how long the token may live; not at all if the service does not say, as its previous release."""
        if not answer.HasField("token_expire_time"):
            return 0
        dies = min(_seconds(answer.token_expire_time), _seconds(answer.session.expire_time))
        return min(self._seconds, dies - self._now())

    def _user_of(self, request: Any) -> str:
        known = self.tokens.last(token_name(request.access_token, request.form))
        return "" if known is None else known.account.user_id

    async def _catch_up(self) -> None:
        await asyncio.gather(*(watch.catch_up() for watch in self._watches))


def token_name(access_token: str, form: TokenForm.ValueType) -> bytes:
    """Return what a token is kept as: what auth-service says of it depends on the dialect and on the form, too."""
    asked = f"{current().dialect} {form or TokenForm.TOKEN_FORM_PAIR} {access_token}"
    return sha256(asked.encode()).digest()


def _token_keys(answer: AuthenticateResponse) -> tuple[str, ...]:
    account, client_id = answer.account, answer.session.client_id
    keys = (f"account:{account.user_id}", f"project:{account.project_id}")
    return (*keys, f"app:{client_id}") if client_id else keys


def _profile_keys(profile: Profile) -> tuple[str, ...]:
    return (f"profile:{profile.user_id}",)


def _seconds(time: Timestamp) -> float:
    return time.seconds + time.nanos * _NANOSECONDS

"""What an operator does with people's accounts, over RPC as the command does."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import uuid4

from faults.history_client import Said
from faults.history_events import EVERY, Outcome
from faults.history_people import Person

from gatepost.auth.v1.accounts_pb2 import (
    AccountRef,
    AccountState,
    DeleteAccountRequest,
    EmailRef,
    GetAccountRequest,
    SetAccountStateRequest,
    SetRoleRequest,
)
from gatepost.auth.v1.tokens_pb2 import EndAllSessionsRequest
from gatepost_cli.operate import Rpc
from runtime.context import CallContext, bound
from runtime.errors import GatepostError, Reason

_ANSWER_SECONDS = 12
_ENABLE_SECONDS = 60
_DISABLED_SECONDS = 1.5
_UNKNOWN = {Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.INTERNAL, Reason.OVERLOADED}
_STATES = {
    "active": AccountState.ACCOUNT_STATE_ACTIVE,
    "disabled": AccountState.ACCOUNT_STATE_DISABLED,
}


@dataclass(frozen=True, slots=True)
class Operator:
    """Operations of an operator. Each notes what came of it.

    Args:
        rpc: The services.
        random: Chooses.
        project: Where the people are.
    """

    rpc: Rpc
    random: Random
    project: str

    async def find(self, person: Person) -> str:
        """Return the id of an account; empty if it is not there, or nobody answers."""
        ref = AccountRef(email=EmailRef(project=self.project, email=person.emails[0]))
        said = await asked(self.rpc.accounts.GetAccount(GetAccountRequest(account=ref)))
        return str(said.body.account.user_id) if said.ok else ""

    async def give_role(self, person: Person) -> None:
        """Give another role."""
        role = next(person.roles, "")
        if role:
            start = time.monotonic()
            said = await asked(self.rpc.accounts.SetRole(SetRoleRequest(account=_ref(person), role=role)))
            person.note("operator-role", start, said, writes={"role": role})

    async def close_and_open(self, person: Person) -> None:
        """Disable the account for a while; enable it again, whatever it takes."""
        async with person.operated:
            await self._set_state(person, "disabled")
            await asyncio.sleep(self.random.uniform(0.1, _DISABLED_SECONDS))
            until = time.monotonic() + _ENABLE_SECONDS
            while not (await self._set_state(person, "active")).ok:
                if time.monotonic() > until:
                    person.complain("a disabled account could not be enabled")
                    return
                await asyncio.sleep(0.3)

    async def end_all(self, person: Person) -> None:
        """End every session."""
        start = time.monotonic()
        said = await asked(self.rpc.tokens.EndAllSessions(EndAllSessionsRequest(account=_ref(person))))
        person.note("operator-end-all", start, said, ends=EVERY)

    async def delete(self, person: Person) -> Said:
        """Delete the account."""
        async with person.operated:
            start = time.monotonic()
            said = await asked(self.rpc.accounts.DeleteAccount(DeleteAccountRequest(account=_ref(person))))
            return person.note("delete", start, said, writes={"state": "deleted"}, ends=EVERY)

    async def _set_state(self, person: Person, state: str) -> Said:
        start = time.monotonic()
        request = SetAccountStateRequest(account=_ref(person), state=_STATES[state])
        said = await asked(self.rpc.accounts.SetAccountState(request))
        # One that is active already is left as it is, so that enabling does not always end what there is.
        ends = EVERY if state == "disabled" else ""
        return person.note(f"operator-{state}", start, said, writes={"state": state}, ends=ends, may_end=EVERY)


def _ref(person: Person) -> AccountRef:
    return AccountRef(user_id=person.id)


async def asked(call: Awaitable[Any]) -> Said:
    """Return what an RPC came to; `body` is its answer."""
    try:
        with bound(CallContext(request_id=str(uuid4()))):
            async with asyncio.timeout(_ANSWER_SECONDS):
                return Said(Outcome.OK, body=await call)
    except GatepostError as error:
        return Said(Outcome.UNKNOWN if error.reason in _UNKNOWN else Outcome.REFUSED)
    except TimeoutError:
        return Said(Outcome.UNKNOWN)

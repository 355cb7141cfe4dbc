"""What flows that are disturbed by crashes need: a client that asks until it is answered, and a look at the result."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aiohttp import ClientError, ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import PASSWORD, Answer, App, app_maker, new_email
from dialects.redirect_client import Browser, Site, site_maker
from dialects.vorgid_client import EDIT_PERSONAL, EDIT_PHONE, Vorgid
from faults.history_client import LOST, Client, Said
from faults.history_events import Outcome
from faults.history_operator import asked

from gatepost.auth.v1.accounts_pb2 import (
    Account,
    AccountRef,
    AccountState,
    CreateAccountRequest,
    EmailRef,
    GetAccountRequest,
    NewProfile,
)
from gatepost.users.v1.profiles_pb2 import GetProfileRequest, Profile
from gatepost_cli.operate import Rpc

if TYPE_CHECKING:
    from faults.crash_outside import Outside

ANSWER_SECONDS = 30
MAIL_SECONDS = 20  # a letter that was being handed over by who died waits for its lease
FIRST_NAME = "Ann"
_OK = 200
_SERVER_ERROR = 500


class RefusedError(Exception):
    """A step was refused.

    Args:
        said: What was answered.
    """

    def __init__(self, said: Said) -> None:
        super().__init__(f"{said.status} {said.reason} {said.body!r:.300}")
        self.said = said


@dataclass(frozen=True)
class World:
    """A stack with a project of each policy.

    Args:
        client: Calls it as an app of the policy `none`.
        rpc: Its services, for an operator.
        vorgid: Calls it as an app that asks for consent.
        apps: By policy.
        outside: What is beyond the stack, if its messages go there.
    """

    client: Client
    rpc: Rpc
    vorgid: Vorgid
    apps: dict[str, App]
    outside: "Outside | None" = None

    @property
    def site(self) -> Site:
        """The project of the app that asks for consent, and of the pages."""
        return self.vorgid.site

    async def insist(self, ask: Callable[[], Awaitable[Said]]) -> Any:
        """Ask until there is an answer; return its body.

        Raises:
            RefusedError: It is a refusal.
            TimeoutError: There is none for half a minute.
        """
        async with asyncio.timeout(ANSWER_SECONDS):
            while (said := await ask()).outcome is Outcome.UNKNOWN:  # noqa: ASYNC110  another process
                await asyncio.sleep(0.1)
        if not said.ok:
            raise RefusedError(said)
        return said.body

    async def post(self, app: App, path: str, **body: Any) -> Any:
        """Insist on an answer of the iHopr dialect to an app."""
        return await self.insist(lambda: self.client.call("POST", path, app.credentials | body))

    async def with_token(self, method: str, path: str, token: str, body: Any = None) -> Any:
        """Insist likewise, for somebody who is signed in."""
        return await self.insist(lambda: self.client.call(method, path, body, token))

    async def with_scope(self, path: str, token: str, **body: Any) -> Any:
        """Insist on an answer of VorgID."""
        answer = await self.insist(lambda: judged(self.vorgid.call("POST", path, token, json=body)))
        return answer["data"]

    async def tokens(self, code: str) -> Any:
        """Insist on what VorgID gives for a code."""
        return await self.insist(lambda: judged(self.vorgid.exchange(code)))

    async def is_there(self, url: str) -> bool:
        """Insist on an answer of an address; say whether it is 200."""
        return (await self._fetched(url))[0] == _OK

    async def letters(self, to: str) -> list[dict[str, Any]]:
        """Insist on the messages to an address or number, newest first."""
        if self.outside is None:
            return await self._listed(to)
        before = self.outside.came(to)
        return self.outside.arrived(to, before, await self._listed(to))

    async def settled(self, to: str) -> None:
        """Wait until nothing to an address, number or account is to be handed over any more, or once more."""
        async with asyncio.timeout(MAIL_SECONDS):
            while any(each["status"] == "pending" for each in await self._listed(to)):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def _listed(self, to: str) -> list[dict[str, Any]]:
        listed = json.loads((await self._fetched(f"{self.client.url}/outbox/messages", to=to))[1])
        messages: list[dict[str, Any]] = listed["messages"]
        return messages

    async def _fetched(self, url: str, **query: str) -> tuple[int, bytes]:
        async def ask() -> Said:
            try:
                async with self.client.session.get(url, params=query) as answer:
                    fetched = (answer.status, await answer.read())
            except (ClientError, TimeoutError):
                return LOST
            return LOST if fetched[0] >= _SERVER_ERROR else Said(Outcome.OK, body=fetched)

        fetched: tuple[int, bytes] = await self.insist(ask)
        return fetched

    async def page(self, browser: Browser, path: str, form: dict[str, str] | None = None, /, **query: str) -> Any:
        """Insist on a page of the pages' project."""
        pages = Client(self.client.session, self.client.url, self.site.app)
        return await self.insist(lambda: pages.page(browser, path, form, **query))

    async def operate(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Insist on an answer to an operator."""
        return await self.insist(lambda: asked(call()))

    async def mailed(self, to: str, template: str, seen: int = 0) -> dict[str, Any]:
        """Return the newest message of a kind, once there are more than `seen` of them."""
        until = time.monotonic() + MAIL_SECONDS
        while time.monotonic() < until:
            found = [each for each in await self.letters(to) if each["template"] == template]
            if len(found) > seen:
                return found[0]
            await asyncio.sleep(0.1)
        raise AssertionError(f"no {template} for {to}")

    async def count(self, to: str, template: str) -> int:
        """Return how many messages of a kind there are."""
        return sum(each["template"] == template for each in await self.letters(to))

    async def make(self, app: App) -> str:
        """Make somebody with an account; return his address."""
        request = CreateAccountRequest(
            user_id=str(uuid4()),
            project=app.project,
            email=new_email(),
            password=PASSWORD,
            profile=NewProfile(first_name=FIRST_NAME, last_name="Lee"),
        )
        await self.operate(lambda: self.rpc.accounts.CreateAccount(request))
        return request.email

    async def account(self, app: App, email: str) -> Account | None:
        """Return an account that is there; None for none, and for a sign-up that waits for its proof."""
        ref = AccountRef(email=EmailRef(project=app.project, email=email))
        try:
            found = await self.operate(lambda: self.rpc.accounts.GetAccount(GetAccountRequest(account=ref)))
        except RefusedError:
            return None
        account: Account = found.account
        return None if account.state == AccountState.ACCOUNT_STATE_PENDING else account

    async def profile(self, app: App, email: str) -> Profile:
        """Return the profile of an account that is there."""
        account = await self.account(app, email)
        assert account is not None, email
        request = GetProfileRequest(user_id=account.user_id)
        answer = await self.operate(lambda: self.rpc.profiles.GetProfile(request))
        profile: Profile = answer.profile
        return profile


async def judged(asking: Awaitable[Answer]) -> Said:
    """Await what a dialect answers that says by its status whether it refuses."""
    try:
        answer = await asking
    except (ClientError, TimeoutError):
        return LOST
    if answer.status >= _SERVER_ERROR:
        return LOST
    return Said(Outcome.OK if answer.status == _OK else Outcome.REFUSED, body=answer.body, status=answer.status)


def open_world(stack: GatepostStack, session: ClientSession, rpc: Rpc, outside: "Outside | None" = None) -> World:
    """Make what flows need: a project for each policy, or one for what goes out."""
    site = site_maker(stack, session)(EDIT_PERSONAL, EDIT_PHONE)
    if outside is None:
        make_app = app_maker(stack)
        apps = {policy: make_app(policy) for policy in ("otp", "two-step")}
        apps["none"] = make_app("none", "--role", "user", "--role", "editor", "--self-assignable-role", "editor")
    else:
        apps = {"none": site.app}
        stack.cli("project", "update", site.app.project, "--status-mode", "shoop=strict")
    return World(Client(session, stack.url, apps["none"]), rpc, Vorgid(site, session, stack.url), apps, outside)

"""What a case of the budget is: a request of one endpoint, and how to get ready for it.

The modules `on_<dialect>` hold the cases; `budgets.csv` what each may cost.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeAlias

from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, Person, app_maker
from dialects.ossn_client import Ossn, new_site
from dialects.redirect_client import Site, site_maker
from dialects.shoop_client import Shoop, new_market
from dialects.sngine_client import Sngine
from dialects.vorgid_client import SCOPES, Vorgid

Send: TypeAlias = Callable[[], Awaitable[Any]]
_EXTRAS = ("birthdate", "gender", "relationship", "biography", "website", "cover")


class Place:
    """A stack with a project for each dialect, made when first asked for.

    Args:
        stack: Running.
        session: Open HTTP session.
    """

    def __init__(self, stack: GatepostStack, session: ClientSession) -> None:
        self.stack = stack
        self.session = session
        self.ihopr = Ihopr(session, stack.url)

    @cached_property
    def app(self) -> App:
        return app_maker(self.stack)("none", "--role", "user", "--role", "Editor", "--self-assignable-role", "Editor")

    @cached_property
    def otp_app(self) -> App:
        return app_maker(self.stack)("otp")

    @cached_property
    def two_step_app(self) -> App:
        return app_maker(self.stack)("two-step")

    @cached_property
    def sngine(self) -> Sngine:
        return Sngine(self._make_site(*_EXTRAS), self.session, self.stack.url)

    @cached_property
    def vorgid(self) -> Vorgid:
        return Vorgid(self._make_site(*SCOPES), self.session, self.stack.url)

    @cached_property
    def ossn(self) -> Ossn:
        return new_site(self.stack, self.session, "strict")

    @cached_property
    def ossn_with_sessions(self) -> Ossn:
        site = new_site(self.stack, self.session, "strict")
        self.stack.cli("project", "update", site.project, "--switch", "ossn.session_token")
        return site

    @cached_property
    def shoop(self) -> Shoop:
        return new_market(self.stack, self.session, "strict")

    @cached_property
    def _make_site(self) -> Callable[..., Site]:
        return site_maker(self.stack, self.session)

    def make_everything(self) -> None:
        """Make every project and app now: it takes seconds, in which connections that are open are not used."""
        for name, value in vars(Place).items():
            if isinstance(value, cached_property):
                getattr(self, name)

    async def confirmed(self, app: App) -> tuple[Person, int]:
        """Sign somebody up who answers the code mailed to him; return him, and how many mails he has."""
        person, answer = await self.ihopr.signup(app)
        await self.answer(answer, await self.ihopr.mailed_code(person.email))
        return person, len(await self.ihopr.mails(person.email))

    async def answer(self, asked: dict[str, str], code: str) -> None:
        """Answer a challenge of either policy."""
        await self.ihopr.success("POST", *answering(asked, code))

    async def fetch(self, path: str) -> None:
        """Get something public."""
        async with self.session.get(path if "://" in path else f"{self.stack.url}{path}") as answer:
            assert answer.status == 200, await answer.text()


@dataclass(frozen=True)
class Case:
    """Requests alike.

    Args:
        name: `<dialect> <methods> <path>: <what is special>`, as `budgets.csv` lists it.
        prepare: Gets everything ready for one request and returns what sends it. Called for each request, so that each
            has its own user, token and one-time value.
        repeated: Whether one preparation is for all requests, which are then the same.
    """

    name: str
    prepare: Callable[[Place], Awaitable[Send]]
    repeated: bool = False

    @property
    def route(self) -> str:
        """The endpoint it is about: `<dialect> <methods> <path>`."""
        return self.name.partition(":")[0]


class Cases(list[Case]):
    """The cases of a dialect, collected by the decorator `at`.

    Args:
        dialect: Its name.
    """

    def __init__(self, dialect: str) -> None:
        super().__init__()
        self._dialect = dialect

    def at(
        self, endpoint: str, special: str = "", *, repeated: bool = False, **arguments: Any
    ) -> Callable[[Callable[..., Awaitable[Send]]], Callable[..., Awaitable[Send]]]:
        """Add what it decorates: a preparation, called with a place and the arguments."""

        def add(prepare: Callable[..., Awaitable[Send]]) -> Callable[..., Awaitable[Send]]:
            name = f"{self._dialect} {endpoint}{': ' if special else ''}{special}"
            self.append(Case(name, lambda place: prepare(place, **arguments), repeated))
            return prepare

        return add


def answering(asked: dict[str, str], code: str) -> tuple[str, dict[str, str]]:
    """Return path and body that answer a challenge of either policy."""
    if "otp_token" in asked:
        return "otp-code", {"otp_token": asked["otp_token"], "otp_code": code}
    return "two-step-auth-code", {"two_step_auth_token": asked["two_step_auth_token"], "two_step_auth_code": code}


def sending(call: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any) -> Send:
    """Return what makes the call."""
    return partial(call, *arguments, **named)

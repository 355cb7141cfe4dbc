"""A client of the iHopr dialect, as an app's developer would write it, and the projects that the tests use it on."""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import ClientSession
from conftest import GatepostStack

PASSWORD = "tunnel-lantern-42"
VERIFIER = "a-verifier-of-tests-with-more-than-43-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
MAIL_SECONDS = 10


@dataclass(frozen=True)
class App:
    """An app of a project, as `gatepost app create` told it."""

    project: str
    client_id: str
    client_secret: str

    @property
    def credentials(self) -> dict[str, str]:
        return {"client_id": self.client_id, "client_secret": self.client_secret}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def error(self) -> tuple[int, str]:
        """Status and message of an error."""
        assert self.body["status"] == "error", self.body
        return self.status, self.body["message"]

    @property
    def fields(self) -> dict[str, list[str]]:
        """The errors by field, of a 422."""
        assert self.error == (422, "The given data was invalid."), self.body
        errors: dict[str, list[str]] = self.body["errors"]
        return errors


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    email: str
    password: str = field(default=PASSWORD, repr=False)


class Ihopr:
    """Calls one gateway.

    Args:
        session: Open HTTP session.
        url: Base URL of the gateway.
    """

    def __init__(self, session: ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def call(self, method: str, path: str, body: Any = None, token: str = "", **headers: str) -> Answer:
        """Send JSON, or nothing; return what comes back."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        async with self._session.request(method, f"{self._url}/api/v1/{path}", json=body, headers=headers) as answer:
            return Answer(answer.status, await answer.json(), dict(answer.headers))

    async def post(self, path: str, body: Any, token: str = "") -> Answer:
        return await self.call("POST", path, body, token)

    async def success(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """Call, and return the body of a success."""
        answer = await self.call(method, path, body, token)
        assert (answer.status, answer.body.get("status")) == (200, "success"), answer.body
        return answer.body

    async def login(self, app: App, person: Person, **more: str) -> Any:
        body = app.credentials | {"email": person.email, "password": person.password} | more
        return await self.success("POST", "login", body)

    async def signup(self, app: App, email: str = "", **more: Any) -> tuple[Person, Any]:
        """Sign somebody new up; return him and the answer."""
        person = Person(email or new_email())
        body = {"password": person.password, "first_name": "Ann", "last_name": "Lee", "mobile_number": 11223344}
        answer = await self.success("POST", "signup", app.credentials | body | {"email": person.email} | more)
        return person, answer

    async def exchange(self, app: App, code: str, **more: str) -> Any:
        return await self.success("POST", "api-tauth-token", app.credentials | {"code": code} | more)

    async def signed_in(self, app: App) -> tuple[Person, Any]:
        """Sign somebody new up in a project of policy `none`; return him and his tokens."""
        person, answer = await self.signup(app)
        return person, await self.exchange(app, answer["code"])

    async def signed_in_again(self, app: App, person: Person) -> Any:
        """Sign in once more; return the tokens."""
        return await self.exchange(app, (await self.login(app, person))["code"])

    async def mailed_code(self, email: str, template: str = "", after: int = 0) -> str:
        """Return the newest code mailed to an address, once there is one that came after the first `after` messages."""
        found = await self.awaited(email, lambda mail: mail["code"] and template in mail["template"], after)
        return str(found["code"])

    async def mailed(self, email: str, template: str) -> dict[str, Any]:
        """Return the newest mail of a kind to an address, once there is one."""
        return await self.awaited(email, lambda mail: mail["template"] == template)

    async def awaited(self, email: str, wanted: Callable[[dict[str, Any]], bool], after: int = 0) -> dict[str, Any]:
        """Return the newest mail to an address that is wanted, once one has come after the first `after` messages."""
        mails: list[dict[str, Any]] = []
        for _ in range(MAIL_SECONDS * 10):
            mails = await self.mails(email)
            for mail in mails[: max(0, len(mails) - after)]:
                if wanted(mail):
                    return mail
            await asyncio.sleep(0.1)
        raise AssertionError(f"not the mail for {email}: {[mail['template'] for mail in mails]}")

    async def mails(self, email: str) -> list[dict[str, Any]]:
        """Return the mails to an address, newest first."""
        async with self._session.get(f"{self._url}/outbox/messages", params={"to": email}) as answer:
            messages: list[dict[str, Any]] = (await answer.json())["messages"]
            return messages


def new_email() -> str:
    """Make an address nobody has."""
    return f"{uuid4().hex[:16]}@example.com"


def wrong(code: str) -> str:
    """Make another code of the same form."""
    return str((int(code) - 100_000 + 1) % 900_000 + 100_000)


def app_maker(stack: GatepostStack) -> Callable[..., App]:
    """Return a function that makes a project with one app: policy, and options of `project create`."""

    def make(sign_in: str = "none", *options: str, app_options: tuple[str, ...] = ()) -> App:
        project = f"p{uuid4().hex[:12]}"
        stack.cli("project", "create", project, "--sign-in", sign_in, *options)
        made = stack.cli("app", "create", "App of the tests", "--project", project, *app_options)
        return App(project, made["client_id"], made["client_secret"])

    return make

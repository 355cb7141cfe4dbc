"""A client of the OSSN dialect, as the developer of a site's companion server would write it, and its sites."""

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import uuid4

from aiohttp import ClientSession
from conftest import GatepostStack

PASSWORD = "tunnel-lantern-42"
SCOPES = ("user:authenticate", "user:read", "user:create", "user:edit", "user:delete")
How = Literal["form", "json", "query", "form in GET"]


@dataclass(frozen=True)
class User:
    """Somebody with an account."""

    username: str
    email: str
    password: str = field(default=PASSWORD, repr=False)


@dataclass(frozen=True)
class Answer:
    """What came back from a site in one of the two status modes."""

    mode: str
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def payload(self) -> Any:
        """The payload of a success."""
        assert (self.status, self.body["code"], self.body["message"]) == (200, "100", "Request successfully executed")
        assert list(self.body) == ["merchant", "url", "time_token", "payload", "code", "message"]
        assert self.headers["Content-Type"] == "application/json;charset=utf-8"
        return self.body["payload"]

    def refused(self, strict_status: int, code: str, message: str) -> None:
        """Assert that it is this error, with the status of the mode."""
        assert (self.body["payload"], self.body["code"], self.body["message"]) == (False, code, message)
        assert self.status == (200 if self.mode == "legacy" else strict_status)
        assert ("X-Error" in self.headers) == (self.mode == "legacy")
        assert self.headers["Content-Type"] == "application/json;charset=utf-8"


@dataclass(frozen=True)
class Ossn:
    """A site: a project, and a key that may do everything.

    Args:
        stack: The running stack.
        session: Open HTTP session.
        project: Name of the project.
        key: Its key.
        mode: How the key and the project want errors.
    """

    stack: GatepostStack
    session: ClientSession
    project: str
    key: str = field(repr=False)
    mode: str

    async def call(self, path: str, how: How = "form", **parameters: Any) -> Answer:
        """Ask a service below the site's prefix; the key is sent unless a parameter says otherwise."""
        given = {"api_key_token": self.key} | parameters
        given = {name: value for name, value in given.items() if value is not None}
        url = f"{self.stack.url}/t/{self.project}/{path}"
        sent: dict[str, Any] = {"params": given} if how == "query" else {"data": given}
        if how == "json":
            sent = {"data": json.dumps(given), "headers": {"Content-Type": "application/json"}}
        method = "GET" if how in {"query", "form in GET"} else "POST"
        async with self.session.request(method, url, **sent) as answer:
            return Answer(self.mode, answer.status, await answer.json(), dict(answer.headers))

    async def authenticate(self, login: str, password: str = PASSWORD, **more: Any) -> Answer:
        return await self.call("api/v1.0/user_authenticate", username=login, password=password, **more)

    async def details(self, **by: Any) -> Answer:
        return await self.call("api/v1.0/user_details", **by)

    async def add(self, **changes: Any) -> Answer:
        """Add somebody new, with some of the parameters changed."""
        name = new_name()
        parameters = {
            "username": name,
            "firstname": "Ann",
            "lastname": "Lee",
            "email": f"{name}@example.com",
            "reemail": changes.get("email", f"{name}@example.com"),
            "password": PASSWORD,
            "gender": "female",
            "birthdate": "03/02/1988",
        }
        return await self.call("api/v1.0/user_add", **parameters | changes)

    def with_key(self, *options: str) -> "Ossn":
        """Make another key: options of `key create`."""
        made = self.stack.cli("key", "create", "--project", self.project, "--status-mode", self.mode, *options)
        return replace(self, key=made["api_key_token"])

    def user(self, *options: str) -> User:
        """Make a user as an operator: options of `user create`."""
        name = new_name()
        made = User(name, f"{name}@example.com")
        self.stack.cli(
            "user",
            "create",
            made.email,
            "--project",
            self.project,
            "--username",
            name,
            "--password",
            PASSWORD,
            *options,
        )
        return made


def new_name() -> str:
    """Make a user name nobody has."""
    return f"u{uuid4().hex[:15]}"


def new_site(stack: GatepostStack, session: ClientSession, mode: str, *options: str) -> Ossn:
    """Make a project, options of `project create`, with a key that may do everything."""
    project = f"p{uuid4().hex[:12]}"
    stack.cli("project", "create", project, *options)
    stack.cli("project", "update", project, "--display-name", "A Site", "--status-mode", f"ossn={mode}")
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    return Ossn(stack, session, project, "", mode).with_key(*scopes)

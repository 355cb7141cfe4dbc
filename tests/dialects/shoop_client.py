"""A client of the Shoop dialect, as its app's developer would write it, and the markets that the tests use it on."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import Ihopr

PASSWORD = "tunnel-lantern-42"


@dataclass(frozen=True)
class Answer:
    """What came back from a market in one of the two status modes."""

    mode: str
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def success(self) -> Any:
        """The body of a success."""
        assert (self.status, self.body.get("status")) == (200, 1), self.body
        return self.body

    def refused(self, strict_status: int, error: str) -> None:
        """Assert that it is this error, with the status of the mode."""
        assert self.body == {"status": 0, "error": error}
        assert self.status == (200 if self.mode == "legacy" else strict_status)
        assert ("X-Error" in self.headers) == (self.mode == "legacy")


@dataclass(frozen=True)
class Shoop:
    """A market: a project, reached by its prefix.

    Args:
        stack: The running stack.
        session: Open HTTP session.
        project: Name of the project.
        mode: How it wants errors.
    """

    stack: GatepostStack
    session: ClientSession
    project: str
    mode: str

    async def call(self, method: str, path: str, key: str = "", json: Any = None, **parameters: Any) -> Answer:
        """Send a form or, with GET, a query; or JSON."""
        url = f"{self.stack.url}/t/{self.project}/api/v2/{path}"
        headers = {"X-API-KEY": key} if key else {}
        sent: dict[str, Any] = {"params" if method == "GET" else "data": parameters} if json is None else {"json": json}
        async with self.session.request(method, url, headers=headers, **sent) as answer:
            return Answer(self.mode, answer.status, await answer.json(), dict(answer.headers))

    async def post(self, path: str, **parameters: Any) -> Answer:
        return await self.call("POST", path, **parameters)

    async def register(self, **changes: Any) -> Answer:
        """Register somebody new, with some of the parameters changed."""
        parameters = {"email": new_email(), "password": PASSWORD, "name": "sh code", "id_location": 7} | changes
        return await self.post("auth/register", **{k: v for k, v in parameters.items() if v is not None})

    async def registered(self, **changes: Any) -> tuple[str, str]:
        """Register somebody new; return address and key."""
        email = changes.pop("email", new_email())
        return email, (await self.register(email=email, **changes)).success["key"]

    async def user(self, key: str) -> dict[str, Any]:
        """Return the user of a key."""
        user: dict[str, Any] = (await self.call("GET", "user/get_active_user", key)).success["user"]
        return user

    async def mailed(self, email: str, template: str) -> dict[str, Any]:
        """Return the newest mail of a kind to an address, once there is one."""
        return await Ihopr(self.session, self.stack.url).mailed(email, template)


def new_email() -> str:
    """Make an address nobody has."""
    return f"{uuid4().hex[:16]}@example.com"


def new_market(stack: GatepostStack, session: ClientSession, mode: str, *options: str) -> Shoop:
    """Make a project: options of `project create`."""
    project = f"p{uuid4().hex[:12]}"
    stack.cli("project", "create", project, *options)
    stack.cli("project", "update", project, "--status-mode", f"shoop={mode}")
    return Shoop(stack, session, project, mode)

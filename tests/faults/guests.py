"""Apps of two dialects and a person of each, and the requests that tests make for them while something is gone."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiohttp import ClientSession
from dialects.ihopr_client import PASSWORD, App, Ihopr, Person, new_email
from faults.proxied_house import House

from gatepost.auth.v1.apps_pb2 import CreateAppRequest
from gatepost.auth.v1.projects_pb2 import CreateProjectRequest, SignInPolicy, UpdateProjectRequest
from gateway.main import connect_services
from gateway.settings import GatewaySettings

# What each dialect says when something is away.
AWAY: dict[str, dict[str, Any]] = {
    "ihopr": {"status": "error", "message": "Service Unavailable"},
    "shoop": {"status": 0, "error": "Our service is not available. Please try again."},
}


@dataclass(frozen=True, repr=False)
class Seen:
    """What a request came to."""

    name: str
    status: int
    body: Any
    retry_after: str
    seconds: float

    def __repr__(self) -> str:
        return f"{self.name}: {self.status} {str(self.body)[:60]} after {self.seconds:.2f} s"

    @property
    def well(self) -> bool:
        return self.status == 200

    @property
    def away(self) -> bool:
        """Whether it was refused as it should be when something is gone."""
        expected = AWAY[self.name.partition(" ")[0]]
        says = {member: self.body.get(member) for member in expected}
        return (self.status, says) == (503, expected) and self.retry_after.isdigit() and int(self.retry_after) >= 1


class Guests:
    """Made by `arrive`.

    Args:
        house: Where they are.
        session: Open HTTP session.
        app: An app of the iHopr dialect whose people sign in with a password alone.
        otp_app: One whose people prove their address by a mailed code.
        market: Prefix of a Shoop project in strict mode.
    """

    def __init__(self, house: House, session: ClientSession, app: App, otp_app: App, market: str) -> None:
        self.app = app
        self.otp_app = otp_app
        self.ihopr = Ihopr(session, house.url)
        self._house = house
        self._session = session
        self._market = market
        self._person = Person("")
        self._buyer = ""
        self._key = ""
        self._tokens: dict[str, str] = {}
        self.requests: dict[str, Callable[[], Awaitable[tuple[int, Any, str]]]] = {
            "ihopr login": self._ihopr_login,
            "ihopr signup": self._ihopr_signup,
            "ihopr user": self._ihopr_user,
            "ihopr refresh": self._ihopr_refresh,
            "shoop login": self._shoop_login,
            "shoop register": self._shoop_register,
            "shoop user": self._shoop_user,
        }

    async def sign_in(self) -> None:
        """Sign a person up in each dialect."""
        self._person, self._tokens = await self.ihopr.signed_in(self.app)
        self._buyer = new_email()
        _, answer, _ = await self._shoop_register(self._buyer)
        self._key = answer["key"]

    async def ask(self, name: str) -> Seen:
        """Make a request."""
        started = time.monotonic()
        status, body, retry_after = await self.requests[name]()
        return Seen(name, status, body, retry_after, time.monotonic() - started)

    async def ask_all(self, names: Collection[str] = ()) -> list[Seen]:
        """Make each of these requests, or of all there are, at once."""
        return list(await asyncio.gather(*(self.ask(name) for name in names or self.requests)))

    async def until_well(self, seconds: float, names: Collection[str] = ()) -> float:
        """Make these requests again and again until all succeed; return after how many seconds."""
        started = time.monotonic()
        async with asyncio.timeout(seconds):
            while not all(seen.well for seen in await self.ask_all(names)):  # noqa: ASYNC110 no event says it
                await asyncio.sleep(0.05)
        return time.monotonic() - started

    async def _call(self, method: str, path: str, **sent: Any) -> tuple[int, Any, str]:
        async with self._session.request(method, f"{self._house.url}/{path}", **sent) as answer:
            return answer.status, await answer.json(), answer.headers.get("Retry-After", "")

    async def _ihopr_login(self) -> tuple[int, Any, str]:
        body = self.app.credentials | {"email": self._person.email, "password": PASSWORD}
        return await self._call("POST", "api/v1/login", json=body)

    async def _ihopr_signup(self) -> tuple[int, Any, str]:
        person = {"email": new_email(), "password": PASSWORD, "first_name": "Ann", "last_name": "Lee"}
        return await self._call("POST", "api/v1/signup", json=self.app.credentials | person | {"mobile_number": "1"})

    async def _ihopr_user(self) -> tuple[int, Any, str]:
        bearer = {"Authorization": f"Bearer {self._tokens['access_token']}"}
        return await self._call("GET", "api/v1/user", headers=bearer)

    async def _ihopr_refresh(self) -> tuple[int, Any, str]:
        """Refresh the tokens; what was done without an answer is answered the same for ten seconds."""
        body = self.app.credentials | {"refresh_token": self._tokens["refresh_token"]}
        status, answer, retry_after = await self._call("POST", "api/v1/refresh-token", json=body)
        if status == 200:
            self._tokens = answer
        return status, answer, retry_after

    async def _shoop_login(self) -> tuple[int, Any, str]:
        data = {"email": self._buyer, "password": PASSWORD}
        return await self._call("POST", f"{self._market}/auth/login", data=data)

    async def _shoop_register(self, email: str = "") -> tuple[int, Any, str]:
        data = {"email": email or new_email(), "password": PASSWORD, "name": "sh code", "id_location": "7"}
        return await self._call("POST", f"{self._market}/auth/register", data=data)

    async def _shoop_user(self) -> tuple[int, Any, str]:
        return await self._call("GET", f"{self._market}/user/get_active_user", headers={"X-API-KEY": self._key})


async def arrive(house: House, session: ClientSession) -> Guests:
    """Make the apps; `sign_in` makes the people."""
    given = {"service_keys": "a-service-key-of-the-tests-alone-42-characters", "coalescing": False}
    services = connect_services(
        GatewaySettings.model_validate(given | {f"{word}_target": target for word, target in house.targets.items()})
    )
    try:

        async def project(policy: SignInPolicy.ValueType) -> str:
            name = f"p{uuid4().hex}"
            made = CreateProjectRequest(id=str(uuid4()), name=name, sign_in_policy=policy)
            await services._projects.CreateProject(made)
            return name

        async def app(policy: SignInPolicy.ValueType) -> App:
            name = await project(policy)
            made = await services.apps.CreateApp(CreateAppRequest(id=str(uuid4()), project=name, name="App"))
            return App(name, made.app.client_id, made.client_secret)

        market = await project(SignInPolicy.SIGN_IN_POLICY_NONE)
        await services._projects.UpdateProject(UpdateProjectRequest(name=market, status_modes={"shoop": "strict"}))
        return Guests(
            house,
            session,
            await app(SignInPolicy.SIGN_IN_POLICY_NONE),
            await app(SignInPolicy.SIGN_IN_POLICY_OTP),
            f"t/{market}/api/v2",
        )
    finally:
        await services.close()

"""What people do over Shoop that reaches what is outside, as flows that are disturbed; see `crash_flows`."""

import asyncio
from secrets import randbelow, token_hex
from typing import Any

from dialects.ihopr_client import PASSWORD, Answer, App, new_email
from faults.crash_outside import Outside
from faults.crash_world import FIRST_NAME, MAIL_SECONDS, World, judged

_PLACE = "7"  # one of those that ship


class _AtMarket:
    """What is done over the Shoop dialect."""

    email = ""

    def app(self, world: World) -> App:
        return world.site.app

    async def post(self, world: World, path: str, **form: str) -> Any:
        """Insist on an answer to an app that is not known yet."""
        url = f"{world.client.url}/t/{self.app(world).project}/api/v2/{path}"

        async def ask() -> Answer:
            headers = {"User-Agent": f"market/{self.email}/{path}"}
            async with world.client.session.post(url, data=form, headers=headers) as answer:
                return Answer(answer.status, await answer.json(), {})

        return await world.insist(lambda: judged(ask()))

    async def register(self, world: World, **more: str) -> None:
        """Sign up."""
        person = {"email": self.email, "password": PASSWORD, "name": f"{FIRST_NAME} Lee", "id_location": _PLACE}
        await self.post(world, "auth/register", **person, **more)


class PushedSignIn(_AtMarket):
    """Signing in somewhere else, which a device is told."""

    async def start(self, world: World) -> None:
        self.email, self.device = new_email(), token_hex(16)
        await self.register(world, gcm_id=self.device)

    async def go(self, world: World) -> None:
        await self.post(world, "auth/login", email=self.email, password=PASSWORD)

    async def done(self, world: World) -> bool:
        """Look at what the device was told: it is one thing, if twice then under the tag that replaces the first."""
        account = await world.account(self.app(world), self.email)
        assert account is not None
        async with asyncio.timeout(MAIL_SECONDS):
            while self.device not in beyond(world).fcm.devices:  # noqa: ASYNC110  another process
                await asyncio.sleep(0.05)
        await world.settled(account.user_id)
        pushes = [each for each in beyond(world).fcm.pushes if each["token"] == self.device]
        return len({each["android"]["notification"]["tag"] for each in pushes}) == 1


class SignUpByFacebook(_AtMarket):
    """Signing up with a Facebook account, which opens the account then."""

    async def start(self, world: World) -> None:  # noqa: ARG002  somebody new
        self.email, self.uid = new_email(), str(10**14 + randbelow(10**14))

    async def go(self, world: World) -> None:
        await self.register(world, fb_token=beyond(world).facebook.token(self.uid))

    async def sign_in(self, world: World) -> None:
        """Sign in by Facebook."""
        await self.post(world, "auth/login", fb_token=beyond(world).facebook.token(self.uid), fb_uid=self.uid)

    async def done(self, world: World) -> bool:
        if await world.account(self.app(world), self.email) is None:
            return False
        await self.sign_in(world)
        return True


class SignInByFacebook(SignUpByFacebook):
    async def start(self, world: World) -> None:
        await super().start(world)
        await self.register(world, fb_token=beyond(world).facebook.token(self.uid))

    async def go(self, world: World) -> None:
        await self.sign_in(world)


def beyond(world: World) -> Outside:
    """Return what is beyond the stack of a world that has something."""
    assert world.outside is not None
    return world.outside

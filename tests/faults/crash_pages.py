"""What people do in a browser, and an app with their consent, as flows that are disturbed; see `crash_flows`."""

import base64
from uuid import uuid4

from dialects.ihopr_client import PASSWORD, App, new_email
from dialects.redirect_client import REDIRECT_URL, Browser, Page
from dialects.vorgid_client import AUTHORIZE, EDIT_PERSONAL, EDIT_PHONE, sign
from drawn import plain
from faults.crash_world import RefusedError, World
from faults.history_client import LOST

from gatepost.auth.v1.accounts_pb2 import AccountState

_SHOWN = 200
_PNG = base64.b64encode(plain()).decode()


class _AtPages:
    """What is done in a browser."""

    email = ""
    password = PASSWORD

    def app(self, world: World) -> App:
        return world.site.app

    async def start(self, world: World) -> None:
        self.email = await world.make(self.app(world))
        self.browser = Browser(world.client.session, world.client.url)
        await self.sign_in(world)

    async def sign_in(self, world: World) -> None:
        page: Page = await world.page(self.browser, "/sign-in")
        await world.page(self.browser, "/sign-in", {"csrf": page.csrf, "email": self.email, "password": PASSWORD})

    async def send(self, world: World, path: str, at: str = "/account", **fields: str) -> Page:
        """Send a form that a page shows."""
        csrf = (await world.page(self.browser, at)).csrf
        sent: Page = await world.page(self.browser, path, {"csrf": csrf, **fields})
        return sent

    async def press(self, world: World, path: str, email: str, template: str) -> None:
        """Follow a mailed link and press its button."""
        token = (await world.mailed(email, template))["link"].rpartition("=")[2]
        page: Page = await world.page(self.browser, path, token=token)
        await world.page(self.browser, path, {"csrf": page.csrf, "token": token})

    async def move(self, world: World) -> None:
        """Move to another address."""
        to = new_email()
        await self.send(world, "/account/email", email=to)
        code = (await world.mailed(to, "email_change_code"))["code"]
        self.email, self.before = to, self.email
        await self.send(world, "/account/email/code", code=code)


class Move(_AtPages):
    """Another e-mail address."""

    async def go(self, world: World) -> None:
        if await world.account(self.app(world), self.email) is None:  # begun before, and not done
            self.email = self.before
        await self.move(world)

    async def done(self, world: World) -> bool:
        return await world.account(self.app(world), self.email) is not None


class Undo(_AtPages):
    """The old address again."""

    async def start(self, world: World) -> None:
        await super().start(world)
        await self.move(world)
        self.email, self.moved_to = self.before, self.email

    async def go(self, world: World) -> None:
        await self.press(world, "/undo-email-change", self.email, "email_changed")

    async def done(self, world: World) -> bool:
        return await world.account(self.app(world), self.email) is not None


class Close(_AtPages):
    """Closing an account and taking it back."""

    async def go(self, world: World) -> None:
        account = await world.account(self.app(world), self.email)
        if account is not None and account.state == AccountState.ACCOUNT_STATE_ACTIVE:
            try:
                await self.send(world, "/account/delete", sure="yes")
            except RefusedError:  # the page after it is that of signing in, which is where the dead are sent too
                account = await world.account(self.app(world), self.email)
                assert account is not None
                assert account.state == AccountState.ACCOUNT_STATE_DISABLED
        await self.press(world, "/keep-account", self.email, "account_closing")

    async def done(self, world: World) -> bool:
        account = await world.account(self.app(world), self.email)
        closed = await world.count(self.email, "account_closing") > 0
        return closed and account is not None and account.state == AccountState.ACCOUNT_STATE_ACTIVE


class Register(_AtPages):
    """Registering an app: once, however often the form is sent."""

    async def start(self, world: World) -> None:
        await super().start(world)
        self.fields = {"name": f"Tea {uuid4()}", "id": str(uuid4())}

    async def go(self, world: World) -> None:
        csrf = (await world.page(self.browser, "/apps/new")).csrf
        try:
            await world.page(self.browser, "/apps/new", {"csrf": csrf, **self.fields})
        except RefusedError as error:  # what shows the secret is no way on, but a page
            if error.said.status != _SHOWN:
                raise

    async def done(self, world: World) -> bool:
        shown: Page = await world.page(self.browser, "/apps")
        assert shown.text.count(f">{self.fields['name']}<") <= 1, "registered twice"
        return self.fields["name"] in shown.text


class Consent(_AtPages):
    """Letting an app in; it gets a token and changes picture and phone."""

    scopes = (EDIT_PERSONAL, EDIT_PHONE)
    token = ""

    async def token_of(self, world: World) -> str:
        query = world.vorgid.asked(*self.scopes)
        target = f"{AUTHORIZE}?{'&'.join(f'{name}={value}' for name, value in query.items())}".replace(" ", "+")
        page: Page = await world.page(self.browser, target)
        if page.status == _SHOWN:
            page = await world.page(self.browser, target, {"csrf": page.csrf, "shown": page.shown, "decision": "allow"})
        assert page.location.startswith(REDIRECT_URL), page
        if "code" not in page.parameters:
            raise RefusedError(LOST)
        return str((await world.tokens(page.parameters["code"]))["access_token"])

    async def go(self, world: World) -> None:
        self.token = await self.token_of(world)

    async def done(self, world: World) -> bool:  # noqa: ARG002  `go` has seen it
        return bool(self.token)


class Withdraw(Consent):
    """Shutting an app out; its token is dead."""

    async def start(self, world: World) -> None:
        await super().start(world)
        self.token = await self.token_of(world)

    async def go(self, world: World) -> None:
        shown: Page = await world.page(self.browser, "/account/apps")
        path = shown.text.partition("/account/apps/")[2].partition('"')[0]
        await self.send(world, f"/account/apps/{path}")

    async def done(self, world: World) -> bool:
        shown: Page = await world.page(self.browser, "/account/apps")
        return "/revoke" not in shown.text


class Picture(Withdraw):
    """Another picture."""

    link = ""

    async def go(self, world: World) -> None:
        self.link = (await world.with_scope("edit-photo", self.token, file=_PNG))["link"]

    async def done(self, world: World) -> bool:
        picture = (await world.profile(self.app(world), self.email)).picture
        return bool(picture and self.link) and await world.is_there(self.link)


class NewPicture(Picture):
    """A picture for another, which is to be seen no more."""

    async def start(self, world: World) -> None:
        await super().start(world)
        await self.go(world)
        self.before, self.link = self.link, ""

    async def done(self, world: World) -> bool:
        return await super().done(world) and not await world.is_there(self.before)


class Phone(Withdraw):
    """Another phone number."""

    async def start(self, world: World) -> None:
        await super().start(world)
        self.number = f"+49170{uuid4().int % 10_000_000:07}"

    async def go(self, world: World) -> None:
        seen = len(await world.letters(self.number))
        opened = await world.with_scope("edit-phone", self.token, phone=self.number)
        code = (await world.mailed(self.number, "phone_change_code", seen))["code"]
        await world.with_scope("edit-phone", self.token, phone=self.number, sign=sign(code, opened["hash_token"]))

    async def done(self, world: World) -> bool:
        profile = await world.profile(self.app(world), self.email)
        return profile.phone_verified and self.number in {profile.phone, profile.phone_e164}

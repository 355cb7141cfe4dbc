"""What one person of the soak does: every kind of operation, each from its beginning to its end.

A person belongs to one worker of `load`, so that nobody else uses up his tokens.
"""

import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import count

from PIL import Image

from bench.seeding import PASSWORD
from bench.soak.client import Browser, Client, WrongAnswerError
from bench.soak.mailbox import Mailbox
from bench.stack import PROJECT, Stack

_PICTURE = re.compile(r'src="(/pictures/[^"]+)"')
_NAMES = {"first_name": "Per", "last_name": "Son", "mobile_number": "15005550006"}
_numbers = count()


@dataclass
class World:
    """What all people share.

    Attributes:
        stack: asked.
        client: asks.
        mailbox: gets the codes.
        pictures: uploaded in turn.
    """

    stack: Stack
    client: Client
    mailbox: Mailbox
    pictures: tuple[bytes, ...]


class Person:
    """Somebody with an account in the project with passwords. Made by `arrive`.

    Attributes:
        KINDS: every operation by name, with its weight.
    """

    KINDS: Mapping[str, int] = {
        "profile": 30,
        "refresh": 15,
        "sign-in": 12,
        "update": 8,
        "sign-up": 4,
        "code": 4,
        "wrong": 3,
        "stranger": 3,
        "page": 3,
        "picture": 3,
        "reset": 2,
    }

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._app = world.stack.app
        self._email = ""
        self._password = PASSWORD
        self._access = self._refresh = ""
        self._operations: Mapping[str, Callable[[], Awaitable[None]]] = {
            "profile": self._read,
            "refresh": self._refreshed,
            "sign-in": self._sign_in,
            "update": self._update,
            "sign-up": self.arrive,
            "code": self._sign_up_by_code,
            "wrong": self._mistype,
            "stranger": self._come_as_nobody,
            "page": self._look_at_pages,
            "picture": self._change_picture,
            "reset": self._reset,
        }

    async def do(self, kind: str) -> None:
        """Do an operation.

        Raises:
            WrongAnswerError: an answer was not as it has to be.
            TimeoutError: no answer, or no mail.
        """
        await self._operations[kind]()

    async def arrive(self) -> None:
        """Be somebody new, signed up."""
        email = _new_address()
        answer = await self._world.client.for_app("signup", self._app, email=email, password=PASSWORD, **_NAMES)
        self._email, self._password = email, PASSWORD
        await self._exchange(answer["code"])

    async def _exchange(self, code: str) -> None:
        tokens = await self._world.client.for_app("api-tauth-token", self._app, code=code)
        self._access, self._refresh = tokens["access_token"], tokens["refresh_token"]

    async def _sign_in(self) -> None:
        answer = await self._world.client.for_app("login", self._app, email=self._email, password=self._password)
        before = self._access
        await self._exchange(answer["code"])
        await self._world.client.json("POST", "logout", token=before)

    async def _read(self) -> None:
        answer = await self._world.client.json("GET", "user", token=self._access)
        if answer["user"]["email"] != self._email:
            raise WrongAnswerError("somebody else's profile")

    async def _refreshed(self) -> None:
        tokens = await self._world.client.for_app("refresh-token", self._app, refresh_token=self._refresh)
        self._access, self._refresh = tokens["access_token"], tokens["refresh_token"]

    async def _update(self) -> None:
        name = f"Per {next(_numbers)}"
        answer = await self._world.client.json("PUT", "user/update", {"first_name": name}, token=self._access)
        if answer["user"]["first_name"] != name:
            raise WrongAnswerError("an update that is not there")

    async def _sign_up_by_code(self) -> None:
        world, app, email = self._world, self._world.stack.otp_app, _new_address()
        world.mailbox.expect(email)
        answer = await world.client.for_app("signup", app, email=email, password=PASSWORD, **_NAMES)
        answered = {"otp_token": answer["otp_token"], "otp_code": await world.mailbox.code(email)}
        code = (await world.client.json("POST", "otp-code", answered))["code"]
        tokens = await world.client.for_app("api-tauth-token", app, code=code)
        await world.client.json("POST", "logout", token=tokens["access_token"])

    async def _reset(self) -> None:
        world, password = self._world, f"{PASSWORD} {next(_numbers)}"
        world.mailbox.expect(self._email)
        started = await world.client.for_app("send-reset-password-code", self._app, email=self._email)
        changed = {
            "reset_password_token": started["reset_password_token"],
            "reset_password_code": await world.mailbox.code(self._email),
            "password": password,
        }
        await world.client.json("POST", "reset-password", changed)
        self._password = password
        await world.client.json("GET", "user", token=self._access, expected=401)  # a reset ends every session
        answer = await world.client.for_app("login", self._app, email=self._email, password=password)
        await self._exchange(answer["code"])

    async def _mistype(self) -> None:
        body = self._app.credentials() | {"email": self._email, "password": "not the password"}
        await self._world.client.json("POST", "login", body, expected=401)
        await self._sign_in()  # and then get it right, which clears the count

    async def _come_as_nobody(self) -> None:
        await self._world.client.json("GET", "user", token="A" * 68, expected=401)

    async def _look_at_pages(self) -> None:
        browser = await self._browser()
        for path in ("/account", "/account/profile", "/account/sessions"):
            await browser.page(path)
        await browser.send("/account", "/sign-out", {})

    async def _change_picture(self) -> None:
        browser, here = await self._browser(), "/account/picture"
        await browser.upload(here, here, "picture", self._chance.choice(self._world.pictures))
        found = _PICTURE.search(await browser.page(here))
        if found is None:
            raise WrongAnswerError("an upload that is not shown")
        await browser.picture(found[1])
        await browser.send("/account", "/sign-out", {})

    async def _browser(self) -> Browser:
        browser = Browser(self._world.client, PROJECT)
        await browser.send("/sign-in", "/sign-in", {"email": self._email, "password": self._password, "next": ""})
        return browser


def pictures() -> tuple[bytes, ...]:
    """Return photos to upload: noise, so that they are as large as real ones."""
    made = []
    for width, height, kind in ((640, 480, "JPEG"), (1200, 900, "JPEG"), (400, 400, "PNG"), (500, 300, "WEBP")):
        out = BytesIO()
        Image.effect_noise((width, height), 60).convert("RGB").save(out, kind)
        made.append(out.getvalue())
    return tuple(made)


def _new_address() -> str:
    return f"soak{next(_numbers)}@example.com"

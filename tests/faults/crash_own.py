"""What people do over the iHopr dialect, and an operator to them, as flows that are disturbed; see `crash_flows`."""

from uuid import uuid4

from dialects.ihopr_client import PASSWORD, App, new_email
from faults.crash_world import FIRST_NAME, RefusedError, World

from gatepost.auth.v1.accounts_pb2 import AccountRef, DeleteAccountRequest, EmailRef

_CHALLENGES = {
    "otp": ("otp-code", "otp_code", "otp_token", "sign_in_code"),
    "two-step": ("two-step-auth-code", "two_step_auth_code", "two_step_auth_token", "two_step_code"),
}


class _OfPolicy:
    """What is done over the iHopr dialect."""

    email = ""
    policy = "none"
    password = PASSWORD

    def app(self, world: World) -> App:
        return world.apps[self.policy]

    async def start(self, world: World) -> None:
        self.email = await world.make(self.app(world))

    async def sign_in(self, world: World) -> str:
        """Sign in; return an access token, and keep the refresh token."""
        app, code = self.app(world), ""
        login = {"email": self.email, "password": self.password}
        if self.policy == "none":
            code = (await world.post(app, "login", **login))["code"]
        else:
            path, word, handle, template = _CHALLENGES[self.policy]
            seen = await world.count(self.email, template)
            opened = await world.post(app, "login", **login)
            code = await self.answer(world, path, {word: "", handle: opened[handle]}, template, seen)
        tokens = await world.post(app, "api-tauth-token", code=code)
        self.refresh = tokens["refresh_token"]
        return str(tokens["access_token"])

    async def answer(self, world: World, path: str, body: dict[str, str], template: str, seen: int) -> str:
        """Answer a challenge with the mailed code; return the code for tokens."""
        mailed = (await world.mailed(self.email, template, seen))["code"]
        filled = {name: value or mailed for name, value in body.items()}
        return str((await world.insist(lambda: world.client.call("POST", path, filled)))["code"])


class SignUp(_OfPolicy):
    """Signing up."""

    async def start(self, world: World) -> None:  # noqa: ARG002  somebody new
        self.email = new_email()

    async def go(self, world: World) -> None:
        body = {"email": self.email, "password": PASSWORD, "first_name": FIRST_NAME, "last_name": "Lee"}
        seen = await world.count(self.email, "sign_up_code")
        answer = await world.post(self.app(world), "signup", **body, mobile_number="1")
        if self.policy != "none":
            path, word, handle, _ = _CHALLENGES[self.policy]
            await self.answer(world, path, {word: "", handle: answer[handle]}, "sign_up_code", seen)

    async def done(self, world: World) -> bool:
        return await world.account(self.app(world), self.email) is not None


class SignUpByCode(SignUp):
    policy = "otp"


class SignUpInTwoSteps(SignUp):
    policy = "two-step"


class SignIn(_OfPolicy):
    """Signing in, and reading one's account."""

    entered = False

    async def go(self, world: World) -> None:
        token = await self.sign_in(world)
        user = (await world.with_token("GET", "user", token))["user"]
        assert user["email"] == self.email
        self.entered = True

    async def done(self, world: World) -> bool:  # noqa: ARG002  `go` has seen it
        return self.entered


class SignInByCode(SignIn):
    policy = "otp"


class SignInInTwoSteps(SignIn):
    policy = "two-step"


class _WithToken(_OfPolicy):
    async def start(self, world: World) -> None:
        await super().start(world)
        self.token = await self.sign_in(world)


class Refresh(_WithToken):
    """Refreshing: within the window the same token gives the same successor, so no session is lost."""

    refreshed = False

    async def go(self, world: World) -> None:
        try:
            tokens = await world.post(self.app(world), "refresh-token", refresh_token=self.refresh)
        except RefusedError as error:
            raise AssertionError("the session is lost") from error
        assert (await world.with_token("GET", "user", tokens["access_token"]))["user"]
        self.refreshed = True

    async def done(self, world: World) -> bool:  # noqa: ARG002  `go` has seen it
        return self.refreshed


class LogOut(_WithToken):
    async def go(self, world: World) -> None:
        await world.with_token("POST", "logout", self.token)

    async def done(self, world: World) -> bool:
        try:
            await world.with_token("GET", "user", self.token)
        except RefusedError:
            return True
        return False


class NewPassword(_WithToken):
    async def go(self, world: World) -> None:
        self.password = f"tunnel {uuid4()}"
        await world.with_token("PUT", "user/update", self.token, {"password": self.password})

    async def done(self, world: World) -> bool:
        try:
            await world.post(self.app(world), "login", email=self.email, password=self.password)
        except RefusedError:
            return False
        return True


class Reset(NewPassword):
    async def start(self, world: World) -> None:
        self.email = await world.make(self.app(world))

    async def go(self, world: World) -> None:
        seen = await world.count(self.email, "reset_code")
        opened = await world.post(self.app(world), "send-reset-password-code", email=self.email)
        code = (await world.mailed(self.email, "reset_code", seen))["code"]
        self.password = f"tunnel {uuid4()}"
        body = {"reset_password_code": code, "reset_password_token": opened["reset_password_token"]}
        await world.insist(lambda: world.client.call("POST", "reset-password", body | {"password": self.password}))


class NewName(_WithToken):
    async def go(self, world: World) -> None:
        await world.with_token("PUT", "user/update", self.token, {"last_name": "Lovelace", "mobile_number": "123"})

    async def done(self, world: World) -> bool:
        profile = await world.profile(self.app(world), self.email)
        return (profile.last_name, profile.phone) == ("Lovelace", "123")


class NewRole(_WithToken):
    async def go(self, world: World) -> None:
        await world.with_token("PUT", "user/update/role", self.token, {"role": "editor"})

    async def done(self, world: World) -> bool:
        account = await world.account(self.app(world), self.email)
        return account is not None and account.role == "editor"


class Deletion(_OfPolicy):
    """An operator deletes; there is nobody left to be whole."""

    async def go(self, world: World) -> None:
        ref = AccountRef(email=EmailRef(project=self.app(world).project, email=self.email))
        await world.operate(lambda: world.rpc.accounts.DeleteAccount(DeleteAccountRequest(account=ref)))

    async def done(self, world: World) -> bool:
        return await world.account(self.app(world), self.email) is None

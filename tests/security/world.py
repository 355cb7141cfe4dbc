"""One project reached through every dialect and the pages, and two more whose policies ask for mailed codes."""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import ClientSession
from budget.cases import Place
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr, Person
from dialects.ossn_client import SCOPES as KEY_SCOPES
from dialects.ossn_client import Ossn
from dialects.own_pages import Visit
from dialects.pages_client import Door
from dialects.redirect_client import REDIRECT_URL, Browser, Site
from dialects.shoop_client import Shoop
from dialects.sngine_client import Sngine
from dialects.vorgid_client import AUTHORIZE, SCOPES, Vorgid

from gatepost.auth.v1 import apps_pb2, projects_pb2
from gatepost.auth.v1.projects_pb2 import SignInPolicy
from gatepost_cli.operate import Rpc

EXTRAS = ("birthdate", "gender", "relationship", "biography", "website", "cover")
ROLES = ("user", "Editor")
OTHER_URL = "https://app.example/another"


@dataclass(frozen=True)
class World:
    """What the tests act on; every dialect answers in strict mode.

    Args:
        stack: Running.
        session: Keeps no cookies.
        app: Of the project without second step.
        second_app: Another of the same project.
        two_step_app: Of the project of that policy.
        otp_app: Likewise.
        key: API key of the first project, which may do everything.
    """

    stack: GatepostStack
    session: ClientSession
    app: App
    second_app: App
    two_step_app: App
    otp_app: App
    key: str

    @cached_property
    def ihopr(self) -> Ihopr:
        return Ihopr(self.session, self.stack.url)

    @cached_property
    def site(self) -> Site:
        return self.site_of(self.app)

    @cached_property
    def sngine(self) -> Sngine:
        return Sngine(self.site, self.session, self.stack.url)

    @cached_property
    def vorgid(self) -> Vorgid:
        return Vorgid(self.site, self.session, self.stack.url)

    @cached_property
    def shoop(self) -> Shoop:
        return Shoop(self.stack, self.session, self.app.project, "strict")

    @cached_property
    def ossn(self) -> Ossn:
        return Ossn(self.stack, self.session, self.app.project, self.key, "strict")

    def site_of(self, app: App) -> Site:
        return Site(app, self.stack, self.ihopr, self.session)

    def door(self, app: App | None = None) -> Door:
        """Open a browser at the pages of a project."""
        return Door(Browser(self.session, self.stack.url), app or self.app, self.ihopr)

    async def visit(self) -> Visit:
        """Sign somebody new in at the pages."""
        person = await self.site.person()
        return Visit(self.site, person, await self.site.browser(person))

    async def visit_of(self, person: Person) -> Visit:
        """Sign somebody in at the pages once more."""
        return Visit(self.site, person, await self.site.browser(person))

    async def sent_back(self, browser: Browser, path: str, **query: str) -> dict[str, str]:
        """Go to an app's door and say yes if that is asked; return what the browser brings back."""
        target = f"{self.site.mount}{path}?{urlencode(query)}"
        shown = await browser.get(target)
        if shown.status == 302:
            return shown.parameters
        return (await browser.post(target, csrf=shown.csrf, shown=shown.shown, decision="allow")).parameters

    async def sngine_key(self, browser: Browser) -> str:
        """Return a key of Sngine's that a browser brings back."""
        return (await self.sent_back(browser, "/api/oauth", app_id=self.app.client_id))["auth_key"]

    async def vorgid_code(self, browser: Browser) -> str:
        """Return a code of VorgID that a browser brings back."""
        return (await self.sent_back(browser, AUTHORIZE, **self.vorgid.asked()))["code"]

    async def vorgid_token(self, browser: Browser) -> str:
        """Return an access token of VorgID."""
        answer = await self.vorgid.exchange(await self.vorgid_code(browser))
        return str(answer.body["access_token"])

    async def confirmed(self, app: App) -> Person:
        """Make somebody in a project that mails codes."""
        person, asked = await self.ihopr.signup(app)
        path, body = answering(asked, await self.ihopr.mailed_code(person.email))
        await self.ihopr.success("POST", path, body)
        return person


def answering(asked: dict[str, str], code: str) -> tuple[str, dict[str, str]]:
    """Return path and body that answer a challenge of either policy."""
    if "otp_token" in asked:
        return "otp-code", {"otp_token": asked["otp_token"], "otp_code": code}
    return "two-step-auth-code", {"two_step_auth_token": asked["two_step_auth_token"], "two_step_auth_code": code}


def place_of(world: World) -> Place:
    """Return where the cases of `tests/budget` are made: the projects of a world."""
    made = Place(world.stack, world.session)
    made.__dict__.update(
        ihopr=world.ihopr,
        app=world.app,
        otp_app=world.otp_app,
        two_step_app=world.two_step_app,
        sngine=world.sngine,
        vorgid=world.vorgid,
        shoop=world.shoop,
        ossn=world.ossn,
        ossn_with_sessions=world.ossn,
    )
    return made


async def make_world(stack: GatepostStack, session: ClientSession, rpc: Rpc) -> World:
    """Make the projects, apps and the key."""
    home = await _project(rpc, SignInPolicy.SIGN_IN_POLICY_NONE)
    key = apps_pb2.CreateApiKeyRequest(
        id=str(uuid4()), project=home, scopes=KEY_SCOPES, status_mode="strict", allow_query_credentials=True
    )
    return World(
        stack,
        session,
        app=await _app(rpc, home),
        second_app=await _app(rpc, home),
        two_step_app=await _app(rpc, await _project(rpc, SignInPolicy.SIGN_IN_POLICY_TWO_STEP)),
        otp_app=await _app(rpc, await _project(rpc, SignInPolicy.SIGN_IN_POLICY_OTP)),
        key=(await rpc.api_keys.CreateApiKey(key)).token,
    )


async def _project(rpc: Rpc, policy: SignInPolicy.ValueType) -> str:
    name = f"p{uuid4().hex[:12]}"
    made = projects_pb2.CreateProjectRequest(
        id=str(uuid4()), name=name, sign_in_policy=policy, roles=ROLES, self_assignable_roles=ROLES[1:]
    )
    await rpc.projects.CreateProject(made)
    modes = dict.fromkeys(("sngine", "ossn", "shoop"), "strict")
    await rpc.projects.UpdateProject(projects_pb2.UpdateProjectRequest(name=name, status_modes=modes))
    return name


async def _app(rpc: Rpc, project: str) -> App:
    urls = [REDIRECT_URL, OTHER_URL]
    scopes = [*SCOPES, *EXTRAS]
    made = await rpc.apps.CreateApp(
        apps_pb2.CreateAppRequest(
            id=str(uuid4()),
            project=project,
            name="App of the tests",
            type=apps_pb2.AppType.APP_TYPE_CONFIDENTIAL,
            redirect_urls=urls,
            scopes=scopes,
            allow_query_secret=True,
            status_mode="strict",
        )
    )
    return App(project, made.app.client_id, made.client_secret)

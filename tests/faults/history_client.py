"""A client that cannot be surprised: whatever comes back, or does not, is ok, refused or unknown.

Speaks iHopr (JSON) and the hosted pages (a browser by hand) with one gateway address. Each request opens its own
connection, so that the kernel shares them out among the gateways.
"""

from dataclasses import dataclass, field
from html import unescape
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from dialects.ihopr_client import App
from dialects.redirect_client import Browser, Page
from faults.history_events import Outcome, Reason

ANSWER_SECONDS = 14  # the gateway gives up after 10
_REASONS = {
    "Unauthenticated.": Reason.DEAD,
    "These credentials do not match our records.": Reason.CREDENTIALS,
    "The authorization code is invalid or has expired.": Reason.ONCE,
    "The code is invalid or has expired.": Reason.ONCE,
}
_NO_MATCH = "That does not match an account."
_DONE = range(200, 400)
_ONWARDS = {302, 303}  # what a form that was taken is answered with
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Said:
    """What an operation came to."""

    outcome: Outcome
    reason: Reason = Reason.NONE
    body: Any = field(default=None, repr=False)
    status: int = 0

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK


LOST = Said(Outcome.UNKNOWN)


class Client:
    """Calls one stack.

    Args:
        session: Open HTTP session, see `opened`.
        url: Base URL of the gateways.
        app: The app that signs people in.
    """

    def __init__(self, session: ClientSession, url: str, app: App) -> None:
        self.session = session
        self.url = url
        self.app = app

    @property
    def mount(self) -> str:
        return f"/t/{self.app.project}"

    async def call(self, method: str, path: str, body: Any = None, token: str = "") -> Said:
        """Send JSON to the iHopr dialect."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with self.session.request(method, f"{self.url}/api/v1/{path}", json=body, headers=headers) as answer:
                status, said = answer.status, await answer.json()
        except (ClientError, TimeoutError, OSError):
            return LOST
        if status in _DONE:
            return Said(Outcome.OK, body=said, status=status)
        if status >= _SERVER_ERROR:
            return Said(Outcome.UNKNOWN, body=said, status=status)
        return Said(Outcome.REFUSED, _REASONS.get(said.get("message", ""), Reason.OTHER), said, status)

    async def as_app(self, path: str, **body: Any) -> Said:
        """Send JSON with the app's credentials."""
        return await self.call("POST", path, self.app.credentials | body)

    def browser(self) -> Browser:
        """Open a browser that has never been here."""
        return Browser(self.session, self.url)

    async def page(self, browser: Browser, path: str, form: dict[str, str] | None = None, /, **query: str) -> Said:
        """Open a page below the project, or send its form; `body` is the Page."""
        where = self.mount + path
        try:
            page = await (browser.get(where, **query) if form is None else browser.post(where, **form))
        except (ClientError, TimeoutError, OSError):
            return LOST
        return _judged(page, self.mount, sent=form is not None)

    async def mails(self, email: str) -> list[dict[str, Any]]:
        """Return the mails to an address, newest first; none if they cannot be read now."""
        try:
            async with self.session.get(f"{self.url}/outbox/messages", params={"to": email}) as answer:
                return list((await answer.json())["messages"]) if answer.status in _DONE else []
        except (ClientError, TimeoutError, OSError):
            return []


def opened() -> ClientSession:
    """Open the HTTP session that a Client needs."""
    return ClientSession(connector=TCPConnector(force_close=True, limit=0), timeout=ClientTimeout(ANSWER_SECONDS))


def _judged(page: Page, mount: str, *, sent: bool) -> Said:
    if page.status >= _SERVER_ERROR:
        return Said(Outcome.UNKNOWN, body=page, status=page.status)
    if page.headers.get("Location", "").startswith(f"{mount}/sign-in"):
        return Said(Outcome.REFUSED, Reason.DEAD, page, page.status)
    if _NO_MATCH in unescape(page.text):
        return Said(Outcome.REFUSED, Reason.CREDENTIALS, page, page.status)
    if page.status in _DONE and (not sent or page.status in _ONWARDS):
        return Said(Outcome.OK, body=page, status=page.status)
    return Said(Outcome.REFUSED, Reason.OTHER, page, page.status)

"""What people do with their accounts in a browser: sign in, look, end sessions, change the address, let an app in."""

import re
import time
from dataclasses import dataclass
from random import Random

from dialects.ihopr_client import App, new_email
from dialects.redirect_client import REDIRECT_URL, Browser, Page
from dialects.vorgid_client import AUTHORIZE, USER
from faults.history_client import LOST, Client, Said
from faults.history_events import EVERY, Outcome, Reason
from faults.history_own import REMEMBERED_SECONDS, Own
from faults.history_people import CONSENT, NO_CONSENT, Held, Person, unique

_FORM = re.compile('name="csrf"')
_SHOWN = 200
_REVOKE = re.compile(r"/account/apps/([0-9a-f-]{36})/revoke")


@dataclass(frozen=True, slots=True)
class Pages:
    """Operations in browsers. Each notes what came of it.

    Args:
        client: The stack.
        random: Chooses.
        own: For what is mailed.
        guest: The app that asks for consent.
    """

    client: Client
    random: Random
    own: Own
    guest: App

    async def sign_in(self, person: Person) -> Said:
        """Begin a browser's session."""
        browser, password, email = self.client.browser(), person.passwords[-1], person.emails[-1]
        shown = await self.client.page(browser, "/sign-in")
        if not shown.ok or not _FORM.search(shown.body.text):
            return LOST
        start, name = time.monotonic(), unique("browser")
        form = {"csrf": shown.body.csrf, "email": email, "password": password}
        said = await self.client.page(browser, "/sign-in", form)
        known = {"password": password, "email": email}
        person.note(
            "page-sign-in",
            start,
            said,
            reads=known | {"state": "active"},
            denies=known | {"state": "active"},
            opens=name,
        )
        if said.ok:
            held = Held(name, browser=browser)
            account = await self._open(person, held, "/account/email")
            if account.ok and _FORM.search(account.body.text):
                held.csrf = account.body.csrf
                person.sessions.append(held)
        return said

    async def look(self, person: Person, held: Held) -> Said:
        """Open the account's page."""
        return await self._open(person, held, "/account")

    async def end_one(self, person: Person, held: Held) -> Said:
        """End another session of the account."""
        others = [each for each in person.sessions if each.access]
        if not others:
            return LOST
        other = self.random.choice(others)
        start = time.monotonic()
        said = await self._send(held, f"/account/sessions/{other.id}/end")
        person.drop(held, said)
        return person.note("revoke", start, said, uses=held.name, ends=other.name, stale=REMEMBERED_SECONDS)

    async def end_all(self, person: Person, held: Held) -> Said:
        """End every session of the account; the answer does not say whether this one was still alive."""
        start = time.monotonic()
        said = await self._send(held, "/account/sessions/end")
        if said.reason is Reason.DEAD:
            said = Said(Outcome.OK)
        return person.note("revoke-all", start, said, ends=held.name, may_end=EVERY)

    async def move(self, person: Person, held: Held) -> Said:
        """Change the address."""
        email, before = new_email(), time.monotonic()
        said = await self._send(held, "/account/email", email=email)
        if not said.ok:
            person.drop(held, said)
            return person.note("e-mail-start", before, said, uses=held.name, stale=REMEMBERED_SECONDS)
        code = await self.own.mailed(email, "email_change_code", 0)
        if not code:
            return LOST
        start = time.monotonic()
        said = await self._send(held, "/account/email/code", code=code)
        if said.ok and "done=email" not in said.body.headers["Location"]:  # another of his changes was before this one
            said = Said(Outcome.REFUSED, Reason.OTHER, said.body, said.status)
        if said.outcome is not Outcome.REFUSED:
            person.emails.append(email)
        return person.note(
            "e-mail",
            start,
            said,
            uses=held.name,
            writes={"email": email},
            ends=EVERY,
            spares=held.name,
            once=email,
            stale=REMEMBERED_SECONDS,
        )

    async def consent(self, person: Person, held: Held) -> Said:
        """Go where the guest app sends people; if asked there, let it in."""
        query = {"client_id": self.guest.client_id, "redirect_url": REDIRECT_URL, "response_type": "code"}
        query |= {"scopes": USER, "form": "VorgID"}
        start = time.monotonic()
        shown = await self.client.page(_browser(held), AUTHORIZE, **query)
        shown = shown if shown.status == _SHOWN else _sent_back(shown)
        given = shown.status != _SHOWN
        seen = {"consent": CONSENT if given else NO_CONSENT}
        person.note("consent-look", start, shown, reads=seen, uses=held.name, stale=REMEMBERED_SECONDS)
        if given or not shown.ok or not _FORM.search(shown.body.text):
            return shown
        page: Page = shown.body
        target = "&".join(f"{name}={value}" for name, value in query.items())
        start = time.monotonic()
        form = {"csrf": page.csrf, "shown": page.shown, "decision": "allow"}
        said = _sent_back(await self.client.page(_browser(held), f"{AUTHORIZE}?{target}", form))
        if said.outcome is Outcome.REFUSED:  # of the code that was to follow; the consent before it may have been taken
            said = LOST
        return person.note(
            "consent", start, said, uses=held.name, writes={"consent": CONSENT}, stale=REMEMBERED_SECONDS
        )

    async def withdraw(self, person: Person, held: Held) -> Said:
        """Look at the apps that were let in, and shut them out again."""
        start = time.monotonic()
        shown = await self.client.page(_browser(held), "/account/apps")
        found = _REVOKE.search(shown.body.text) if shown.ok else None
        seen = {"consent": CONSENT if found else NO_CONSENT}
        person.note("consent-look", start, shown, reads=seen, uses=held.name, stale=REMEMBERED_SECONDS)
        if found is None or self.random.random() < 0.3:
            return shown
        start = time.monotonic()
        said = await self._send(held, found[0])
        return person.note(
            "withdrawal", start, said, uses=held.name, writes={"consent": NO_CONSENT}, stale=REMEMBERED_SECONDS
        )

    async def _open(self, person: Person, held: Held, path: str) -> Said:
        start = time.monotonic()
        said = await self.client.page(_browser(held), path)
        if not said.ok:
            person.drop(held, said)
        return person.note("page", start, said, uses=held.name, stale=REMEMBERED_SECONDS)

    async def _send(self, held: Held, path: str, **fields: str) -> Said:
        return await self.client.page(_browser(held), path, {"csrf": held.csrf, **fields})


def _sent_back(said: Said) -> Said:
    """Take what brings the app no code, because a service is away, for what nobody knows."""
    code = said.ok and "code" in said.body.parameters
    return said if code or said.outcome is Outcome.REFUSED else LOST


def _browser(held: Held) -> Browser:
    if held.browser is None:
        raise AssertionError(f"{held.name} is no browser's")
    return held.browser

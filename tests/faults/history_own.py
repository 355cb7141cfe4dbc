"""What people do with their accounts by an app: sign up and in, look, refresh, leave, change and reset."""

import asyncio
import time
from random import Random
from uuid import uuid4

from faults.history_client import LOST, Client, Said
from faults.history_events import EVERY, Outcome, Reason, Rules
from faults.history_people import NO_CONSENT, Held, Person, unique

REMEMBERED_SECONDS = 1.0  # what gateways remember may be that old
MAIL_SECONDS = 8.0
_KEPT_TOKENS = 4


class Own:
    """Operations of account owners. Each notes what came of it.

    Args:
        client: The stack.
        random: Chooses.
        rules: What is promised.
    """

    def __init__(self, client: Client, random: Random, rules: Rules) -> None:
        self._client = client
        self._random = random
        self._rules = rules

    async def sign_up(self, person: Person) -> Said:
        """Make the account."""
        start, name, password = time.monotonic(), unique("name"), new_password()
        body = {"email": person.emails[0], "password": password, "first_name": name, "last_name": "Lee"}
        said = await self._client.as_app("signup", **body, mobile_number="1")
        person.passwords.append(password)
        first = {"password": password, "email": person.emails[0], "name": name}
        first |= {"role": "user", "state": "active", "consent": NO_CONSENT}
        return person.note("sign-up", start, said, writes=first)

    async def sign_in(self, person: Person, password: str = "", email: str = "") -> Said:
        """Show a password, by default the one thought to be in force; keep the code."""
        password, email = password or person.passwords[-1], email or person.emails[-1]
        start = time.monotonic()
        said = await self._client.as_app("login", email=email, password=password)
        code = said.body["code"] if said.ok else ""
        if code:
            person.codes.append(code)
        shown = {"password": password, "email": email}
        return person.note("sign-in", start, said, reads=shown, denies=shown | {"state": "active"}, gives=code)

    async def sign_in_otherwise(self, person: Person) -> Said:
        """Show a password of before, one that never was, or an address of before."""
        choice = self._random.random()
        if choice < 0.5:
            return await self.sign_in(person, password=self._random.choice(person.passwords))
        if choice < 0.75:
            return await self.sign_in(person, password=new_password())
        return await self.sign_in(person, email=self._random.choice(person.emails))

    async def exchange(self, person: Person, code: str = "") -> Said:
        """Exchange a code, by default one that was not exchanged yet; hold the session."""
        if not code:
            if not person.codes:
                return await self.sign_in(person)
            code = person.codes.pop()
        start, name = time.monotonic(), unique("session")
        said = await self._client.as_app("api-tauth-token", code=code)
        if said.ok:
            person.sessions.append(Held(name, said.body["access_token"], said.body["refresh_token"]))
        elif said.outcome is Outcome.UNKNOWN and self._random.random() < 0.5:
            person.codes.append(code)
        person.spent = [*person.spent[-2:], code]
        return person.note("exchange", start, said, once=code, opens=name)

    async def exchange_again(self, person: Person) -> Said:
        """Show a code that was shown before."""
        return await self.exchange(person, self._random.choice(person.spent)) if person.spent else LOST

    async def look(self, person: Person, held: Held) -> Said:
        """Read account and profile with the access token."""
        start = time.monotonic()
        said = await self._client.call("GET", "user", token=held.access)
        seen = {}
        if said.ok:
            user = said.body["user"]
            seen = {"name": user["first_name"], "role": user["role"], "email": user["email"]}
        else:
            person.drop(held, said)
        return person.note("look", start, said, reads=seen, uses=held.name, stale=REMEMBERED_SECONDS)

    async def refresh(self, person: Person, held: Held) -> Said:
        """Show the newest refresh token; now and then one of before."""
        token, now = held.refresh, time.monotonic()
        if held.former and self._random.random() < 0.15:
            token = held.former[-1][0]
        elif held.former and self._random.random() < 0.05:
            token = self._random.choice(held.former)[0]
        said = await self._client.as_app("refresh-token", refresh_token=token)
        successor = ""
        if said.ok:
            successor = said.body["refresh_token"]
            if token == held.refresh:
                held.former = [*held.former[-_KEPT_TOKENS:], (token, now)]
                held.access, held.refresh = said.body["access_token"], successor
        else:
            person.drop(held, said)
        return person.note("refresh", now, said, uses=held.name, once=token, successor=successor)

    async def log_out(self, person: Person, held: Held) -> Said:
        """End the session."""
        start = time.monotonic()
        said = await self._client.call("POST", "logout", token=held.access)
        person.drop(held, said)
        return person.note("logout", start, said, uses=held.name, ends=held.name)

    async def change_password(self, person: Person, held: Held) -> Said:
        """Set another password, which ends all other sessions."""
        start, password = time.monotonic(), new_password()
        said = await self._client.call("PUT", "user/update", {"password": password}, held.access)
        if said.outcome is not Outcome.REFUSED:
            person.passwords.append(password)
        return person.note(
            "password", start, said, uses=held.name, writes={"password": password}, ends=EVERY, spares=held.name
        )

    async def rename(self, person: Person, held: Held) -> Said:
        """Change the first name."""
        start, name = time.monotonic(), unique("name")
        said = await self._client.call("PUT", "user/update", {"first_name": name}, held.access)
        return person.note("profile", start, said, uses=held.name, writes={"name": name})

    async def take_role(self, person: Person, held: Held) -> Said:
        """Take another role."""
        role = next(person.roles, "")
        if not role:
            return LOST
        start = time.monotonic()
        said = await self._client.call("PUT", "user/update/role", {"role": role}, held.access)
        return person.note("role", start, said, uses=held.name, writes={"role": role})

    async def reset(self, person: Person) -> Said:
        """Set a password with a mailed code."""
        email, before = person.emails[-1], time.monotonic()
        seen = len(await self._client.mails(email))
        said = await self._client.as_app("send-reset-password-code", email=email)
        if not said.ok:
            return person.note("reset-start", before, said)
        code = await self.mailed(email, "reset_code", seen)
        if not code:
            return LOST
        start, password, token = time.monotonic(), new_password(), said.body["reset_password_token"]
        body = {"reset_password_code": code, "reset_password_token": token, "password": password}
        said = await self._client.call("POST", "reset-password", body)
        if said.outcome is not Outcome.REFUSED:
            person.passwords.append(password)
        return person.note("reset", start, said, writes={"password": password}, ends=EVERY, once=token)

    async def mailed(self, email: str, template: str, seen: int) -> str:
        """Return the newest code of a kind mailed to an address after `seen` others; empty if none comes."""
        until = time.monotonic() + MAIL_SECONDS
        while time.monotonic() < until:
            mails = await self._client.mails(email)
            new = [each["code"] for each in mails[: max(0, len(mails) - seen)] if each["template"] == template]
            if new and new[0]:
                return str(new[0])
            await asyncio.sleep(0.2)
        return ""

    async def settled(self, person: Person, until: float) -> bool:
        """Sign in with what may be the password until one is known to be it; False if none is until then."""
        while time.monotonic() < until:
            unknown = False
            for email in reversed(person.emails[-3:]):
                for password in reversed(person.passwords[-6:]):
                    said = await self.sign_in(person, password, email)
                    if said.ok:
                        return True
                    unknown |= said.reason is not Reason.CREDENTIALS
            if not unknown:
                return False
            await asyncio.sleep(0.3)
        person.complain("nobody answered when he wanted to sign in")
        return False


def new_password() -> str:
    """Make a password nobody has."""
    return f"tunnel {uuid4().hex}"

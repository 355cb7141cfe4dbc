"""Measures a loaded stack: through HTTP as always, and the operators' lists by RPC, which have no HTTP."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import cycle
from statistics import quantiles
from uuid import UUID

from bench import load
from bench.accounting import Group, spent
from bench.load import Follow, Plan
from bench.rounds import Round, Subject
from bench.scale.crowd import Crowd, address, session
from bench.seeding import PASSWORD, Seeder
from bench.stack import PROJECT, Stack
from gatepost.auth.v1.accounts_pb2 import AccountRef, EmailRef, GetAccountRequest, ListAccountsRequest
from gatepost_cli.operate import Rpc
from runtime import paging

CALLERS = 32
RPC_CALLERS = 8
PAGE = 50
_MARK = b"REPLACED-BY-THE-LOAD-GENERATOR"
_SAMPLE = 10_000
_REFRESHED = 2_000  # in a round
_PLACES = 200
WORKLOADS = ("sign-in", "profile", "refresh", "list-first", "list-deep", "search")
TITLES: Mapping[str, str] = {
    "sign-in": "sign-in with password -> code -> tokens",
    "profile": "profile read, nothing cached",
    "refresh": "refresh with rotation",
    "list-first": f"list of users, first page of {PAGE}",
    "list-deep": f"list of users, a page of {PAGE} deep inside",
    "search": "user by e-mail address",
}
Call = Callable[[], Awaitable[object]]


class Crowded:
    """A stack with a crowd in it.

    Args:
        stack: Running.
        seeder: Makes tokens.
        rpc: Of the stack.
        crowd: Loaded.

    Attributes:
        rounds: What was measured so far, by workload.
    """

    def __init__(self, stack: Stack, seeder: Seeder, rpc: Rpc, crowd: Crowd) -> None:
        self.stack = stack
        self.seeder = seeder
        self.crowd = crowd
        self._refreshed = 0
        self._subject = Subject(
            "gatepost",
            stack.group,
            {"sign-in": self._sign_in, "profile": self._profile, "refresh": self._refresh},
        )
        self._calls = {"list-first": self._first(rpc), "list-deep": self._deep(rpc), "search": self._search(rpc)}
        self.rounds: dict[str, list[Round]] = {name: [] for name in WORKLOADS}

    async def measure(self, workload: str, seconds: float) -> None:
        """Measure one round."""
        if workload in self._calls:
            found = await _called(self._calls[workload], self.stack.group, seconds)
        else:
            found = await self._subject.measure(workload, seconds)
        self.rounds[workload].append(found)

    async def _sign_in(self, _amount: int) -> Plan:
        entries = [self._post("/api/v1/login", email=address(n), password=PASSWORD) for n in self.crowd.spread(_SAMPLE)]
        exchange = self._post("/api/v1/api-tauth-token", code=_MARK.decode())
        follow = Follow('"code":"(%x+)"', load.following(exchange, _MARK))
        return Plan(self.stack.url, entries, follow=follow, callers=CALLERS)

    async def _profile(self, _amount: int) -> Plan:
        entries = [self._reading(n) for n in self.crowd.sessions_spread(_SAMPLE)]
        return Plan(self.stack.url, entries, expect='"status":"success"', callers=CALLERS)

    async def _refresh(self, _amount: int) -> Plan:
        """Return refreshes of sessions that no round before has touched, each followed by those of its successors."""
        first = self._refreshed
        self._refreshed += _REFRESHED
        numbers = self.crowd.sessions_spread(_SAMPLE)[first : first + _REFRESHED]
        tokens = [self.seeder.tokens(*session(number)) for number in numbers]
        entries = [self._post("/api/v1/refresh-token", refresh_token=each.refresh) for each in tokens]
        template = self._post("/api/v1/refresh-token", refresh_token=_MARK.decode())
        follow = Follow('"refresh_token":"([%w_-]+)"', load.following(template, _MARK), chain=True)
        return Plan(self.stack.url, entries, cycle=False, follow=follow, callers=CALLERS)

    def _first(self, rpc: Rpc) -> Call:
        request = ListAccountsRequest(project=PROJECT, page_size=PAGE)
        return lambda: rpc.accounts.ListAccounts(request)

    def _deep(self, rpc: Rpc) -> Call:
        """Return what asks for pages at the end of the list and everywhere before it."""
        now = datetime.now(UTC)
        places = [now - timedelta(seconds=self.crowd.count * part / _PLACES) for part in range(1, _PLACES)]
        requests = cycle(
            [
                ListAccountsRequest(project=PROJECT, page_size=PAGE, page_token=paging.encode((place, UUID(int=0))))
                for place in places
            ]
        )
        return lambda: rpc.accounts.ListAccounts(next(requests))

    def _search(self, rpc: Rpc) -> Call:
        requests = cycle(
            [
                GetAccountRequest(account=AccountRef(email=EmailRef(project=PROJECT, email=address(number))))
                for number in self.crowd.spread(_SAMPLE)
            ]
        )
        return lambda: rpc.accounts.GetAccount(next(requests))

    def _post(self, path: str, **members: str) -> bytes:
        return load.http("POST", self.stack.host, path, body=self.stack.app.credentials() | members)

    def _reading(self, number: int) -> bytes:
        access = self.seeder.tokens(*session(number)).access
        return load.http("GET", self.stack.host, "/api/v1/user", headers={"Authorization": f"Bearer {access}"})


async def _called(call: Call, group: Group, seconds: float) -> Round:
    """Call for that long, some at once; our own CPU time is not counted."""
    took: list[float] = []
    until = time.perf_counter() + seconds

    async def caller() -> None:
        while (began := time.perf_counter()) < until:
            await call()
            took.append(time.perf_counter() - began)

    await call()
    before, began = group.cpu_seconds(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(RPC_CALLERS)))
    used, lasted = spent(before, group.cpu_seconds()), time.perf_counter() - began
    percentiles = quantiles(took, n=100)
    return Round(
        cpu_us=sum(used.values()) / len(took) * 1e6,
        split={name: value / len(took) * 1e6 for name, value in used.items()},
        per_second=len(took) / lasted,
        p50=percentiles[49] * 1000,
        p95=percentiles[94] * 1000,
        p99=percentiles[98] * 1000,
        errors=0,
    )

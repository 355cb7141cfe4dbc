"""The ten workloads as requests to our own stack: what is sent, and how what is used up is made beforehand.

Each `plan` makes one round. Nothing is measured here.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from auth_service.model import TokenForm
from bench import load
from bench.goals import MIX
from bench.load import Follow, Plan
from bench.seeding import PASSWORD, Seeder, Tokens, address
from bench.stack import OTP_PROJECT, PROJECT, Stack

_TOKEN_MARK = b"REPLACED-BY-THE-LOAD-GENERATOR"
_SUCCESS = '"status":"success"'
_HASH_CALLERS_PER_CORE = 4
_ZIPF = 1.1


@dataclass(frozen=True)
class Size:
    """How much there is of everything.

    Attributes:
        users: in the project with passwords.
        tokens: distinct ones that are used again and again.
        callers: connections of the cheap workloads.
        hash_callers: connections of those that hash.
    """

    users: int
    tokens: int
    callers: int
    hash_callers: int


class Workloads:
    """Makes plans.

    Args:
        stack: Asked.
        seeder: Makes what is used up.
        size: See there.
    """

    def __init__(self, stack: Stack, seeder: Seeder, size: Size) -> None:
        self._stack = stack
        self._seeder = seeder
        self._size = size
        self._numbers = count()
        self._fresh_users = count()
        self._random = random.Random(1)  # noqa: S311 the same order in every run
        self._tokens: list[Tokens] = []
        self._singles: list[str] = []
        self._plans: Mapping[str, Callable[[int], Awaitable[Plan]]] = {
            "sign-in": self._sign_in,
            "sign-up": self._sign_up,
            "otp-verify": self._otp_verify,
            "code": self._code,
            "auth-key": self._auth_key,
            "refresh": self._refresh,
            "profile": self._profile,
            "profile-zipf": self._profile_zipf,
            "profile-cold": self._profile_cold,
            "profile-update": self._profile_update,
            "token-check": self._token_check,
            "mixed": self._mixed,
        }

    async def prepare(self) -> None:
        """Make users and the tokens that are used again and again."""
        await self._seeder.people(PROJECT, self._size.users)
        await self._seeder.people(OTP_PROJECT, min(self._size.users, 2000))
        await self.prepare_tokens()

    async def prepare_tokens(self) -> None:
        """Make the tokens alone, for people who are there already."""
        numbers = [number % self._size.users for number in range(self._size.tokens)]
        self._tokens = await self._seeder.sessions(numbers)
        self._singles = await self._seeder.single_tokens(numbers)

    def maker(self, name: str) -> Callable[[int], Awaitable[Plan]]:
        """Return what makes a round's requests; its argument: how many of those that can be sent only once."""
        return self._plans[name]

    async def cheap(self) -> Plan:
        """Return cheap calls at a moderate pace, to be sent while the hash pool is saturated."""
        plan = await self._profile(0)
        return replace(plan, callers=8, think_ms=20)

    async def _sign_in(self, _amount: int) -> Plan:
        entries = [
            self._post("/api/v1/login", email=address(n % self._size.users), password=PASSWORD)
            for n in range(self._size.tokens)
        ]
        self._random.shuffle(entries)
        exchange = self._post("/api/v1/api-tauth-token", code=_TOKEN_MARK.decode())
        follow = Follow('"code":"(%x+)"', load.following(exchange, _TOKEN_MARK))
        return self._of(entries, follow=follow, callers=self._size.hash_callers)

    async def _sign_up(self, amount: int) -> Plan:
        names = {"first_name": "Per", "last_name": "Son", "mobile_number": 15005550006}
        entries = [
            self._post("/api/v1/signup", email=f"new{next(self._numbers)}@example.com", password=PASSWORD, **names)
            for _ in range(amount)
        ]
        return self._of(entries, cycle=False, callers=self._size.hash_callers)

    async def _otp_verify(self, amount: int) -> Plan:
        challenges = await self._seeder.challenges(amount)
        entries = [
            load.http("POST", self._stack.host, "/api/v1/otp-code", body={"otp_token": handle, "otp_code": code})
            for handle, code in challenges
        ]
        return self._of(entries, cycle=False)

    async def _code(self, amount: int) -> Plan:
        return self._of(await self._codes(amount), cycle=False, expect='"refresh_token"')

    async def _auth_key(self, amount: int) -> Plan:
        return self._of(await self._auth_keys(amount), cycle=False, expect='"access_token"')

    async def _refresh(self, _amount: int) -> Plan:
        numbers = [number % self._size.users for number in range(self._size.tokens)]
        entries = [self._refreshing(tokens) for tokens in await self._seeder.sessions(numbers)]
        template = self._post("/api/v1/refresh-token", refresh_token=_TOKEN_MARK.decode())
        follow = Follow('"refresh_token":"([%w_-]+)"', load.following(template, _TOKEN_MARK), chain=True)
        return self._of(entries, cycle=False, follow=follow)

    async def _profile(self, _amount: int) -> Plan:
        entries = [self._reading(tokens) for tokens in self._tokens]
        self._random.shuffle(entries)
        return self._of(entries)

    async def _profile_zipf(self, _amount: int) -> Plan:
        weights = [1 / (rank + 1) ** _ZIPF for rank in range(len(self._tokens))]
        chosen = self._random.choices(self._tokens, weights, k=5 * len(self._tokens))
        return self._of([self._reading(tokens) for tokens in chosen])

    async def _profile_cold(self, amount: int) -> Plan:
        amount = min(amount, self._size.users)
        numbers = [next(self._fresh_users) % self._size.users for _ in range(amount)]
        return self._of([self._reading(tokens) for tokens in await self._seeder.sessions(numbers)], cycle=False)

    async def _profile_update(self, amount: int) -> Plan:
        entries = [self._updating(self._tokens[number % len(self._tokens)]) for number in range(amount)]
        return self._of(entries, cycle=False)

    async def _token_check(self, _amount: int) -> Plan:
        entries = [self._checking(token) for token in self._singles]
        self._random.shuffle(entries)
        return self._of(entries, expect='"user_info"')

    async def _mixed(self, amount: int) -> Plan:
        """Return all kinds of requests in random order, each as often as MIX says."""
        due = {name: max(int(amount * share), 1) for name, share in MIX.items()}
        sessions = await self._seeder.sessions([number % self._size.users for number in range(due["refresh"])])
        entries = [
            *(self._reading(tokens) for tokens in self._random.choices(self._tokens, k=due["profile"])),
            *(self._checking(token) for token in self._random.choices(self._singles, k=due["token-check"])),
            *(self._refreshing(tokens) for tokens in sessions),
            *(self._updating(tokens) for tokens in self._random.choices(self._tokens, k=due["profile-update"])),
            *await self._codes(due["code"]),
            *await self._auth_keys(due["auth-key"]),
            *(self._post("/api/v1/login", email=address(n), password=PASSWORD) for n in range(due["sign-in"])),
        ]
        self._random.shuffle(entries)
        return self._of(entries, cycle=False, expect="")

    async def _codes(self, amount: int) -> list[bytes]:
        codes = await self._seeder.codes(amount, TokenForm.PAIR)
        return [self._post("/api/v1/api-tauth-token", code=code) for code in codes]

    async def _auth_keys(self, amount: int) -> list[bytes]:
        app = self._stack.app
        named = {"app_id": app.client_id, "app_secret": app.client_secret}
        keys = await self._seeder.codes(amount, TokenForm.SINGLE)
        return [load.http("POST", self._stack.host, "/api/authorize", body=named | {"auth_key": key}) for key in keys]

    def _post(self, path: str, **members: Any) -> bytes:
        return load.http("POST", self._stack.host, path, body=self._stack.app.credentials() | members)

    def _refreshing(self, tokens: Tokens) -> bytes:
        return self._post("/api/v1/refresh-token", refresh_token=tokens.refresh)

    def _reading(self, tokens: Tokens) -> bytes:
        return load.http("GET", self._stack.host, "/api/v1/user", headers=_bearer(tokens.access))

    def _updating(self, tokens: Tokens) -> bytes:
        change = {"first_name": f"Per{next(self._numbers)}"}
        return load.http("PUT", self._stack.host, "/api/v1/user/update", headers=_bearer(tokens.access), body=change)

    def _checking(self, token: str) -> bytes:
        return load.http("GET", self._stack.host, "/api/get_user_info", headers=_bearer(token))

    def _of(
        self,
        entries: Sequence[bytes],
        *,
        cycle: bool = True,
        expect: str = _SUCCESS,
        follow: Follow | None = None,
        callers: int = 0,
    ) -> Plan:
        return Plan(self._stack.url, entries, cycle, expect, follow, callers or self._size.callers)


def hash_callers(cores: int) -> int:
    """Return how many connections keep every core hashing."""
    return _HASH_CALLERS_PER_CORE * cores


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}

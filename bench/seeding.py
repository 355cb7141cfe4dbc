"""Users, sessions, one-time codes and challenges in bulk: rows by COPY, secrets made by auth-service's own engines.

Reads and writes the stack's databases, which nothing but a bench may do. What it makes is used through HTTP only.
"""

import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
from argon2 import PasswordHasher

from auth_service.audit import Audit
from auth_service.challenges import Challenges
from auth_service.codes import Codes
from auth_service.key_keeper import KeyKeeper
from auth_service.keys import KeyRing, Seal
from auth_service.limits import Limit, Limiter
from auth_service.model import App, Entry, Purpose, TokenForm
from auth_service.signing import SigningKeys
from auth_service.store import accounts, apps
from auth_service.tokens import Kind, TokenCodec
from auth_service.verification import challenge_data
from auth_service.wrong_answers import WrongAnswers
from bench.ceilings.measure import ITERATIONS, MEMORY_KIB
from bench.stack import OTP_PROJECT, PROJECT, Stack
from gatepost_cli import secrets_file
from gatepost_cli.data_dir import DataDir
from runtime.clock import SystemClock
from runtime.context import CallContext, bound
from runtime.postgres import Database
from runtime.valkey import Valkey

PASSWORD = "a long bench 42"  # noqa: S105 of accounts that live for minutes
_CODE_SECONDS = 86_400
_DAY = timedelta(days=1)
_DIALECTS = {TokenForm.PAIR: "ihopr", TokenForm.SINGLE: "sngine"}


@dataclass(frozen=True)
class Tokens:
    """Of one session; the refresh token is that of its present generation."""

    session_id: UUID
    access: str
    refresh: str


def address(number: int, project: str = PROJECT) -> str:
    """Return the e-mail address of a seeded user."""
    return f"user{number}@{project}.example.com"


class Seeder:
    """Fills one stack. Made by `open_seeder`.

    Attributes:
        ids: of the people made so far, by project.
    """

    def __init__(self, stack: Stack, auth: Database, users: asyncpg.Connection, valkey: Valkey, keys: KeyRing) -> None:
        self._stack = stack
        self._auth = auth
        self._users = users
        self._codec = TokenCodec(keys)
        self._codes = Codes(valkey, keys, _CODE_SECONDS)
        failures = Limit("bench", 1_000_000_000, 60)
        clock = SystemClock()
        self._challenges = Challenges(
            valkey,
            keys,
            clock,
            Limiter(valkey),
            WrongAnswers(auth, Audit(clock)),
            max_tries=5,
            failures=failures,
            per_address=failures,
        )
        self.ids: dict[str, list[UUID]] = {}

    async def people(self, project: str, count: int) -> None:
        """Make users with the one password, an address and a profile; the first `count` of the project."""
        now, ids = datetime.now(UTC), [uuid4() for _ in range(count)]
        async with self._auth.acquire() as connection:
            found = await connection.fetchrow("SELECT id, roles FROM projects WHERE name = $1", project)
            assert found is not None  # noqa: S101 made by Stack.start
            hashed = PasswordHasher(time_cost=ITERATIONS, memory_cost=MEMORY_KIB, parallelism=1).hash(PASSWORD)
            owner = found["id"]
            await connection.copy_records_to_table(
                "accounts",
                records=[(i, owner, "active", found["roles"][0], now, now) for i in ids],
                columns=["id", "project_id", "state", "role", "created_at", "updated_at"],
            )
            mails = [address(n, project) for n in range(count)]
            await connection.copy_records_to_table(
                "identifiers",
                records=[(owner, "email", mail, mail, i, now) for i, mail in zip(ids, mails, strict=True)],
                columns=["project_id", "kind", "normalized", "value", "account_id", "verified_at"],
            )
            await connection.copy_records_to_table(
                "credentials",
                records=[(i, "password", hashed, now) for i in ids],
                columns=["account_id", "kind", "hash", "changed_at"],
            )
            await connection.execute("ANALYZE")
        await self._profiles(owner, ids, now)
        self.ids[project] = ids

    async def sessions(self, numbers: Sequence[int]) -> list[Tokens]:
        """Open a session of a pair for each of these users of the project."""
        app, ids = await self._app(self._stack.app.client_id), self.ids[PROJECT]
        rows = [(uuid4(), ids[number], secrets.token_bytes(16), secrets.token_bytes(32), None) for number in numbers]
        await self._insert_sessions(app, rows, TokenForm.PAIR)
        return [self.tokens(session, salt) for session, _, salt, _, _ in rows]

    def tokens(self, session: UUID, salt: bytes) -> Tokens:
        """Return the first tokens of a session of a pair that is there."""
        access = self._codec.mint(Kind.ACCESS, session, salt, 1, datetime.now(UTC) + _DAY)
        return Tokens(session, access, self._codec.mint(Kind.REFRESH, session, salt, 1))

    async def single_tokens(self, numbers: Sequence[int]) -> list[str]:
        """Open a session of one token (Sngine's) for each of these users of the project."""
        app, ids = await self._app(self._stack.app.client_id), self.ids[PROJECT]
        tokens = [secrets.token_hex(32) for _ in numbers]
        rows = [
            (
                uuid4(),
                ids[number],
                secrets.token_bytes(16),
                secrets.token_bytes(32),
                hashlib.sha256(token.encode()).digest(),
            )
            for number, token in zip(numbers, tokens, strict=True)
        ]
        await self._insert_sessions(app, rows, TokenForm.SINGLE)
        return tokens

    async def codes(self, count: int, form: TokenForm) -> list[str]:
        """Issue one-time codes, each for the next user of the project."""
        app, now = await self._app(self._stack.app.client_id), datetime.now(UTC)
        ids = self.ids[PROJECT]
        async with self._auth.acquire() as connection:
            account = await accounts.fetch(connection, ids[0])
        assert account is not None  # noqa: S101 made above
        made = []
        for number in range(count):
            of = replace(account, id=ids[number % len(ids)])
            with bound(CallContext(dialect=_DIALECTS[form])):
                made.append(await self._codes.issue(of, app, None, now, form=form))
        return made

    async def challenges(self, count: int) -> list[tuple[str, str]]:
        """Open mailed-code challenges of the OTP project; return handle and code of each."""
        app, ids = await self._app(self._stack.otp_app.client_id), self.ids[OTP_PROJECT]
        entry = Entry(app.project, app, TokenForm.PAIR)
        made = []
        for number in range(count):
            with bound(CallContext(dialect=_DIALECTS[TokenForm.PAIR])):  # a challenge is answered in its own dialect
                data = challenge_data(ids[number % len(ids)], entry, security_version=1)
                opened = await self._challenges.open(Purpose.OTP, secrets.token_hex(8), data, _CODE_SECONDS)
            made.append((opened.challenge.handle, opened.code))
        return made

    async def _app(self, client_id: str) -> App:
        async with self._auth.acquire() as connection:
            app_id = await connection.fetchval("SELECT id FROM apps WHERE client_id = $1", client_id)
            app = await apps.fetch(connection, app_id)
        assert app is not None  # noqa: S101 made by Stack.start
        return app

    async def _insert_sessions(
        self, app: App, rows: Sequence[tuple[UUID, UUID, bytes, bytes, bytes | None]], form: TokenForm
    ) -> None:
        now = datetime.now(UTC)
        end = now + _DAY
        rest = (app.id, ["basic"], 1, 1, now, now, now, end, end, form.value, now)
        async with self._auth.acquire() as connection:
            await connection.copy_records_to_table(
                "sessions",
                records=[(session, account, salt, code, key, *rest) for session, account, salt, code, key in rows],
                columns=[
                    *("id", "account_id", "salt", "code_hash", "key_hash"),
                    *("app_id", "scopes", "generation", "security_version", "authenticated_at", "created_at"),
                    *("rotated_at", "expires_at", "ends_at", "form", "last_used_at"),
                ],
            )

    async def _profiles(self, project_id: UUID, ids: Sequence[UUID], now: datetime) -> None:
        numbers = range(1, len(ids) + 1)
        names = ("first_name", "last_name", "phone", "phone_e164", "gender", "biography", "website", "relationship")
        values = ("Per", "Son", "+15005550006", "+15005550006", "", "", "", "")
        async with self._users.transaction():
            await self._users.copy_records_to_table(
                "profiles",
                records=[
                    (i, project_id, n, secrets.token_hex(16), *values, "", 1, now, now)
                    for i, n in zip(ids, numbers, strict=True)
                ],
                columns=[
                    *("user_id", "project_id", "number", "public_id"),
                    *names,
                    *("language", "version", "created_at", "updated_at"),
                ],
            )
            await self._users.execute(
                "INSERT INTO project_numbers (project_id, last_number) VALUES ($1, $2)", project_id, len(ids)
            )
        await self._users.execute("ANALYZE profiles")


@asynccontextmanager
async def open_seeder(stack: Stack) -> AsyncIterator[Seeder]:
    """Connect to a stack's databases with its own keys."""
    master_key = secrets_file.load(DataDir(stack.folder)).master_key
    auth = await Database.connect(stack.dsns["auth"], max_size=2, command_timeout_seconds=120)
    users = await asyncpg.connect(stack.dsns["users"])
    valkey, keys = Valkey.connect(stack.valkey_url, timeout_seconds=5), KeyRing()
    try:
        clock, seal = SystemClock(), Seal(master_key)
        keeper = KeyKeeper(
            database=auth,
            ring=keys,
            signing=SigningKeys(auth, seal, clock),
            seal=seal,
            audit=Audit(clock),
            clock=clock,
            longest=_DAY,
        )
        await keeper.refresh()
        yield Seeder(stack, auth, users, valkey, keys)
    finally:
        await valkey.close()
        await users.close()
        await auth.close()

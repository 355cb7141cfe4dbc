"""Users by the million, and what belongs to each: computed from his number alone, here as in the databases.

Ids are hashes of numbers, so they lie about like random ones, and nothing has to be remembered of what was loaded.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

SESSIONS = 20_000
"""At least so many sessions, so that no token is used twice where there are few users."""


@dataclass(frozen=True)
class Crowd:
    """The users 1 to `count` of a project, and the sessions 1 to `sessions`, shared out among them in turn."""

    count: int

    @property
    def sessions(self) -> int:
        """How many there are."""
        return max(self.count, SESSIONS)

    def spread(self, sample: int) -> list[int]:
        """Return the numbers of some users, spread evenly over all of them, in random order."""
        return _spread(self.count, sample)

    def sessions_spread(self, sample: int) -> list[int]:
        """Return the numbers of some sessions likewise."""
        return _spread(self.sessions, sample)


def address(number: int) -> str:
    """Return a user's e-mail address."""
    return f"user{number}@crowd.example.com"


def session(number: int) -> tuple[UUID, bytes]:
    """Return id and salt of a user's session."""
    return UUID(_md5("session", number).hex()), _md5("salt", number)


def _spread(count: int, sample: int) -> list[int]:
    numbers = [1 + index * count // sample for index in range(sample)]
    random.Random(1).shuffle(numbers)  # noqa: S311 the same order in every run
    return numbers


def _md5(what: str, number: int) -> bytes:
    return hashlib.md5(f"{what}{number}".encode(), usedforsecurity=False).digest()


TABLES: Mapping[str, Sequence[str]] = {
    "auth": ("sessions", "accounts", "identifiers", "credentials"),
    "users": ("profiles",),
}
_ACCOUNTS = """
INSERT INTO accounts (id, project_id, state, role, created_at, updated_at)
SELECT md5('account' || n)::uuid, $2, 'active', $3, made, made
FROM generate_series(1, $1::integer) AS n, LATERAL (SELECT now() - ($1::integer - n) * interval '1 s' AS made) AS t"""
_IDENTIFIERS = """
INSERT INTO identifiers (project_id, kind, normalized, value, account_id, verified_at)
SELECT $2, 'email', mail, mail, md5('account' || n)::uuid, now()
FROM generate_series(1, $1::integer) AS n, LATERAL (SELECT 'user' || n || '@crowd.example.com' AS mail) AS t"""
_CREDENTIALS = """
INSERT INTO credentials (account_id, kind, hash, changed_at)
SELECT md5('account' || n)::uuid, 'password', $2, now() FROM generate_series(1, $1::integer) AS n"""
_SESSIONS = """
INSERT INTO sessions (id, account_id, salt, code_hash, app_id, scopes, generation, security_version, authenticated_at,
    created_at, rotated_at, expires_at, ends_at, form, last_used_at)
SELECT md5('session' || n)::uuid, md5('account' || (n - 1) % $1::integer + 1)::uuid, decode(md5('salt' || n), 'hex'),
    decode(md5('code' || n) || md5('of' || n), 'hex'), $2, '{basic}', 1, 1, now(), now(), now(),
    now() + interval '1 day', now() + interval '1 day', 'pair', now()
FROM generate_series(1, $3::integer) AS n"""
_PROFILES = """
INSERT INTO profiles (user_id, project_id, number, public_id, first_name, last_name, phone, phone_e164, gender,
    biography, website, relationship, language, version, created_at, updated_at)
SELECT md5('account' || n)::uuid, $2, n, md5('public' || n), 'Per', 'Son', '+15005550006', '+15005550006', '',
    '', '', '', '', 1, now(), now()
FROM generate_series(1, $1::integer) AS n"""
# A statement whose $1 is the number of users, and what its further arguments are.
ROWS: Mapping[str, tuple[str, Sequence[str]]] = {
    "accounts": (_ACCOUNTS, ("project", "role")),
    "identifiers": (_IDENTIFIERS, ("project",)),
    "credentials": (_CREDENTIALS, ("hash",)),
    "sessions": (_SESSIONS, ("app", "sessions")),
    "profiles": (_PROFILES, ("project",)),
}

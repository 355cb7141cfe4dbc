"""Migrations of releases to come leave the release before them at work: squawk lints them, and two rules of ours.

Expand, then contract: a release adds, the next one uses, a later one takes away with `-- squawk-ignore RULE` above the
statement and the reason beside it. Locks are taken for a moment or not at all. Files up to the baseline are applied
wherever Gatepost runs; they are as they are.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.migrations import OUTSIDE, Migration, shipped

BASELINE = {"auth_service": 5, "user_service": 3, "notify_service": 2}
NOT_ASKED = (
    "require-lock-timeout",  # runtime.migrations sets it
    "require-statement-timeout",  # what takes long may, under a lock that lets people work
    "prefer-robust-stmts",  # each file is one transaction, and applied once
    "prefer-bigint-over-int",  # of taste
    "prefer-identity",  # likewise
)
# What changes every row, or keeps everybody out for as long as it takes; backfilling is the service's, in small pieces.
WHOLE = re.compile(r"^\s*(UPDATE|DELETE|TRUNCATE|LOCK|CLUSTER|VACUUM|REINDEX)\b.*", re.IGNORECASE | re.MULTILINE)
LOCKING = re.compile(
    r"^\s*(?:ALTER TABLE (?:ONLY )?|CREATE TRIGGER [^;]*? ON |DROP TRIGGER [^;]*? ON )\"?(\w+)",
    re.IGNORECASE | re.MULTILINE,
)
MADE = re.compile(r"^\s*CREATE TABLE (?:IF NOT EXISTS )?\"?(\w+)", re.IGNORECASE | re.MULTILINE)
FUNCTION = re.compile(r"\$\$.*?\$\$", re.DOTALL)


def complaints(sql: str, folder: Path) -> list[str]:
    """Return what is wrong with a migration."""
    file = folder / "migration.sql"
    file.write_text(sql, encoding="utf-8")
    outside = sql.startswith(OUTSIDE)
    squawk = [str(Path(sys.executable).parent / "squawk"), "--pg-version", "14", "--reporter", "gcc"]
    squawk += [] if outside else ["--assume-in-transaction"]
    done = subprocess.run(
        [*squawk, *(f"--exclude={rule}" for rule in NOT_ASKED), str(file)], capture_output=True, check=False, text=True
    )
    found = [line for line in done.stdout.splitlines() if "warning:" in line or "error:" in line]
    assert found or done.returncode == 0, done.stderr
    plain = FUNCTION.sub("", sql)
    found += [f"whole-table: {match[0].strip()}" for match in WHOLE.finditer(plain)]
    locked = {name.lower() for name in LOCKING.findall(plain)} - {name.lower() for name in MADE.findall(plain)}
    if "CONCURRENTLY" in plain.upper() and not outside:
        found.append(f"concurrently: only in a file that begins with {OUTSIDE!r}")
    if len(locked) > 1 and not outside:
        found.append(f"several-tables: {', '.join(sorted(locked))} are locked together; give each a file of its own")
    return found


def to_come() -> list[Migration]:
    return [each for package, last in BASELINE.items() for each in shipped(package) if each.version > last]


def test_no_migration_to_come_stops_the_release_before_it(tmp_path: Path) -> None:
    assert {each.name: complaints(each.sql, tmp_path) for each in to_come()} == {each.name: [] for each in to_come()}


@pytest.mark.parametrize(
    ("rule", "sql"),
    [
        ("ban-drop-table", "DROP TABLE grants;"),
        ("ban-drop-column", "ALTER TABLE accounts DROP COLUMN role;"),
        ("renaming-table", "ALTER TABLE accounts RENAME TO people;"),
        ("renaming-column", "ALTER TABLE accounts RENAME COLUMN role TO rank;"),
        ("changing-column-type", "ALTER TABLE accounts ALTER COLUMN role TYPE varchar(5);"),
        ("adding-required-field", "ALTER TABLE accounts ADD COLUMN nick text NOT NULL;"),
        ("adding-not-nullable-field", "ALTER TABLE accounts ALTER COLUMN closing_at SET NOT NULL;"),
        ("adding-field-with-default", "ALTER TABLE accounts ADD COLUMN mark uuid DEFAULT gen_random_uuid();"),
        ("constraint-missing-not-valid", "ALTER TABLE accounts ADD CONSTRAINT named CHECK (role <> '');"),
        (
            "adding-foreign-key-constraint",
            "ALTER TABLE grants ADD CONSTRAINT app FOREIGN KEY (app_id) REFERENCES apps;",
        ),
        ("disallowed-unique-constraint", "ALTER TABLE accounts ADD CONSTRAINT once UNIQUE (role);"),
        ("require-concurrent-index-creation", "CREATE INDEX accounts_role ON accounts (role);"),
        ("require-concurrent-index-deletion", "DROP INDEX accounts_role;"),
        ("concurrently", "CREATE INDEX CONCURRENTLY a ON accounts (role);"),
        ("whole-table", "UPDATE accounts SET role = lower(role);"),
        ("whole-table", "LOCK TABLE accounts;"),
        ("several-tables", "ALTER TABLE apps ADD COLUMN a text;\nALTER TABLE grants ADD COLUMN a text;"),
    ],
)
def test_what_would_stop_it_is_found(rule: str, sql: str, tmp_path: Path) -> None:
    assert rule in " ".join(complaints(sql, tmp_path))


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE marks (id uuid PRIMARY KEY, name text NOT NULL);\nCREATE INDEX marks_name ON marks (name);",
        "ALTER TABLE accounts ADD COLUMN nick text NOT NULL DEFAULT '';",
        "ALTER TABLE accounts ADD CONSTRAINT named CHECK (role <> '') NOT VALID;",
        "ALTER TABLE accounts VALIDATE CONSTRAINT named;",
        f"{OUTSIDE}DROP INDEX CONCURRENTLY IF EXISTS a;\nCREATE INDEX CONCURRENTLY a ON accounts (role);",
        "-- Unused since the release before.\n-- squawk-ignore ban-drop-column\nALTER TABLE accounts DROP COLUMN nick;",
    ],
)
def test_what_lets_it_work_is_not(sql: str, tmp_path: Path) -> None:
    assert complaints(sql, tmp_path) == []

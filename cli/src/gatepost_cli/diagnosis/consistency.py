"""The three databases together: what has to hold of them, in one moment, where there are not too many people."""

from collections.abc import Mapping

from gatepost_cli import invariants
from gatepost_cli.backup import snapshots
from gatepost_cli.diagnosis.finding import Finding, fail, ok, warn
from gatepost_cli.errors import CommandFailed

NAME = "consistency"
MOST_ACCOUNTS = 200_000  # half a second
_ACCOUNTS = "SELECT reltuples::bigint FROM pg_class WHERE oid = 'accounts'::regclass"


async def look(dsns: Mapping[str, str]) -> Finding:
    """Return the finding."""
    try:
        async with snapshots.held(dsns) as moment:
            if await moment["auth"].fetchval(_ACCOUNTS) > MOST_ACCOUNTS:
                return ok(NAME, f"not looked at, for more than {MOST_ACCOUNTS} accounts")
            violations = await invariants.violations(moment)
    except CommandFailed as failure:
        return warn(NAME, failure.message, "try again when it is less busy")
    if violations:
        said = "; ".join(f"{each['what']} ({each['count']}, as {each['examples'][0]})" for each in violations)
        return fail(NAME, said, "restore a backup, or mend it by hand; it should not have come to that")
    return ok(NAME, "accounts, profiles, pictures and messages fit together")

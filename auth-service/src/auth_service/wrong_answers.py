"""Wrong answers to challenges, in the audit trail. Told by `challenges` of each, also of those that nobody can answer.

What the event says is stored with a challenge: `account_id` (nobody's, or that of a `registration` that is no account
yet, is not told), and where there are such the names `project` and `client_id`.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from auth_service.audit import Audit
from runtime.errors import Reason
from runtime.postgres import Database

_NOBODY = UUID(int=0)


class WrongAnswers:
    """Records them.

    Args:
        database: Where the trail is.
        audit: Appends the events.
    """

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def record(self, data: Mapping[str, Any]) -> None:
        """Append the event of one, given what is stored with the challenge."""
        account_id = UUID(data["account_id"])
        async with self._database.acquire() as connection:
            await self._audit.record(
                connection,
                "challenge.answer",
                outcome=Reason.CHALLENGE_FAILED.value,
                account_id=None if account_id == _NOBODY or data.get("registration") else account_id,
                project=data.get("project", ""),  # absent in those of the release before, as the next
                client_id=data.get("client_id", ""),
                by_user=False,
            )

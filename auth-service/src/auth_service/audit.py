"""Who did what to whom, when, from where: written in the transaction of the act itself."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from auth_service.model import Account, App
from auth_service.store import audit as store
from runtime.clock import Clock
from runtime.context import current
from runtime.postgres import Connection

_OURSELVES = "auth-service"  # who works when nobody calls: a background loop, or the start


class Audit:
    """Appends events.

    Args:
        clock: For their time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def record(
        self,
        connection: Connection,
        action: str,
        *,
        outcome: str = "success",
        account: Account | None = None,
        app: App | None = None,
        project: str = "",
        by_user: bool = True,
        account_id: UUID | None = None,
        client_id: str = "",
        actor: str = "",
    ) -> None:
        """Append one event.

        Args:
            connection: Of the transaction that does the act.
            action: As noun.verb.
            outcome: `success`, or the reason of a refusal.
            account: To whom.
            app: With which app.
            project: Name, when neither account nor app says it.
            by_user: The user did it himself; else the calling service on somebody's behalf.
            account_id: To whom, when the account itself is not at hand.
            client_id: With which app, when the app itself is not at hand.
            actor: Who did it, if neither the user nor the calling service: the app or API key that has proven itself.
        """
        event = self.event(
            action,
            outcome=outcome,
            account=account,
            app=app,
            project=project,
            by_user=by_user,
            account_id=account_id,
            client_id=client_id,
            actor=actor,
        )
        await store.insert(connection, event)

    def event(
        self,
        action: str,
        *,
        outcome: str = "success",
        account: Account | None = None,
        app: App | None = None,
        project: str = "",
        by_user: bool = True,
        account_id: UUID | None = None,
        client_id: str = "",
        actor: str = "",
    ) -> store.Event:
        """Return an event, for a statement that does the act and appends it in one; arguments as of `record`."""
        context = current()
        subject = account.id if account else account_id
        if not actor:
            actor = f"user:{subject}" if by_user and subject else f"service:{context.caller or _OURSELVES}"
        return store.Event(
            id=0,
            at=self._clock.now(),
            action=action,
            outcome=outcome,
            actor=actor,
            account_id=subject,
            project=project or (account.project if account else app.project.name if app else ""),
            client_id=app.client_id if app else client_id,
            address=context.client_address,
            request_id=context.request_id,
        )


def describe(event: store.Event) -> dict[str, Any]:
    """Return an event as `gatepost audit` shows it."""
    return {
        "id": event.id,
        "time": utc(event.at),
        "action": event.action,
        "outcome": event.outcome,
        "actor": event.actor,
        "user_id": str(event.account_id or ""),
        "project": event.project,
        "client_id": event.client_id,
        "address": event.address,
        "request_id": event.request_id,
    }


def utc(time: datetime) -> str:
    """Return a time as RFC 3339 has it, in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")

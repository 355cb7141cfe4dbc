"""An account as the use cases have it."""

from datetime import UTC, datetime
from uuid import UUID

from auth_service.model import Account, AccountState

AN_ACCOUNT = Account(
    id=UUID(int=7),
    project_id=UUID(int=8),
    project="default",
    state=AccountState.ACTIVE,
    role="user",
    security_version=3,
    email="ann@example.org",
    email_verified=True,
    username="",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    updated_at=datetime(2026, 1, 1, tzinfo=UTC),
)

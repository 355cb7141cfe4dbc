"""What tells the forms of tokens apart: how one looks, and how long its session lives. Called by `sessions`; no I/O."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from auth_service.model import TokenForm

_KEY_BYTES = {TokenForm.SINGLE: 32, TokenForm.SESSION_KEY: 20, TokenForm.WEB: 32}  # 256, 160 and 256 bits
_KEY = {form: re.compile(f"[0-9a-f]{{{2 * length}}}") for form, length in _KEY_BYTES.items()}
OF_APPS = frozenset({TokenForm.PAIR, TokenForm.SHORT_PAIR, TokenForm.SINGLE})
"""What an app can have, by exchanging a code."""
OF_THE_GATEWAY = frozenset({TokenForm.SINGLE, TokenForm.SESSION_KEY, TokenForm.WEB})
"""What the gateway can have when it asks for itself."""


def new_key(form: TokenForm) -> str:
    """Return a new token of a form that is one random value, in lower-case hex digits."""
    return secrets.token_hex(_KEY_BYTES[form])


def is_key(form: TokenForm, text: str) -> bool:
    """Say whether a text looks like a token of a form that is one random value."""
    return _KEY[form].fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long things live, in seconds.

    Args:
        access: An access token of a pair.
        short_access: An access token of a short pair, and a single one.
        refresh: A refresh token that is not used.
        session_key: A session key that is not used.
        web_idle: A browser's session that is not used.
        web_max: A browser's session, however often used.
        session_max: Any other session, however often refreshed or used.
    """

    access: int
    short_access: int
    refresh: int
    session_key: int
    web_idle: int
    web_max: int
    session_max: int

    @property
    def longest(self) -> timedelta:
        """The longest that any session can live, and whatever belongs to one."""
        return timedelta(seconds=max(self.session_max, self.web_max, self.short_access))

    def ends_at(self, form: TokenForm, authenticated_at: datetime, now: datetime) -> datetime:
        """Return when a session that begins now ends for good."""
        if form is TokenForm.SINGLE:
            return now + timedelta(seconds=self.short_access)
        return authenticated_at + timedelta(seconds=self.web_max if form is TokenForm.WEB else self.session_max)

    def expires_at(self, form: TokenForm, now: datetime, ends_at: datetime, refresh_seconds: int = 0) -> datetime:
        """Return when a session used now expires unless it is used again.

        Args:
            form: Of its tokens.
            now: When it is used; for a pair, refreshed.
            ends_at: When it ends for good.
            refresh_seconds: The project's lifetime of a refresh token; 0 for the service's.
        """
        seconds = {
            TokenForm.PAIR: refresh_seconds or self.refresh,
            TokenForm.SHORT_PAIR: refresh_seconds or self.refresh,
            TokenForm.SINGLE: self.short_access,
            TokenForm.SESSION_KEY: self.session_key,
            TokenForm.WEB: self.web_idle,
        }[form]
        return min(now + timedelta(seconds=seconds), ends_at)

    def access_seconds(self, form: TokenForm, project_seconds: int) -> int:
        """Return the lifetime of an access token, which the project may say (0 for the service's)."""
        if form is TokenForm.PAIR:
            return project_seconds or self.access
        return min(project_seconds or self.short_access, self.short_access)


def slides(form: TokenForm) -> bool:
    """Say whether a session lives on because it is used."""
    return form in {TokenForm.SESSION_KEY, TokenForm.WEB}

"""What an app's texts, URLs, origins and scopes may be. Called by `apps` and `own_apps` before one is stored. Pure."""

import re
from urllib.parse import SplitResult, urlsplit

from auth_service.model import App
from runtime.errors import invalid

_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,100}")  # RFC 6749 section 3.3
_PICTURE = re.compile(r"(?:[0-9a-f]{32})?")
_MAX_NAME_LENGTH = 100
_MAX_DESCRIPTION_LENGTH = 200
_MAX_URL_LENGTH = 2000
_MAX_LIST_LENGTH = 50
STATUS_MODES = frozenset({"", "legacy", "strict"})
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def checked(app: App) -> App:
    """Return an app that may be stored.

    Raises:
        GatepostError: INVALID_PARAMETER on the field at fault.
    """
    for field in ("redirect_urls", "origins", "scopes"):
        if len(getattr(app, field)) > _MAX_LIST_LENGTH:
            raise invalid(field, f"An app has at most {_MAX_LIST_LENGTH} of them.")
    if not app.name.strip() or len(app.name) > _MAX_NAME_LENGTH or not app.name.isprintable():
        raise invalid("name", f"An app's name has 1 to {_MAX_NAME_LENGTH} printable characters.")
    if not all(_is_redirect_url(url) for url in app.redirect_urls):
        raise invalid("redirect_urls", "A redirect URL is absolute, https (http for loopback), without fragment.")
    if not all(_is_origin(origin) for origin in app.origins):
        raise invalid("origins", "An origin is scheme://host or scheme://host:port, nothing after it.")
    if not all(_SCOPE.fullmatch(scope) for scope in app.scopes):
        raise invalid("scopes", "A scope is printable ASCII without blank, quote and backslash (RFC 6749 3.3).")
    if len(app.description) > _MAX_DESCRIPTION_LENGTH or not all(c.isprintable() or c == "\n" for c in app.description):
        raise invalid("description", f"A description has at most {_MAX_DESCRIPTION_LENGTH} characters.")
    if app.website and not _is_website(app.website):
        raise invalid("website", "A website is an absolute http or https URL.")
    if not _PICTURE.fullmatch(app.icon_picture):
        raise invalid("icon_picture", "A picture is named by 32 hex digits.")
    check_status_mode(app.status_mode)
    return app


def check_status_mode(mode: str) -> None:
    """Refuse what is no status mode.

    Raises:
        GatepostError: INVALID_PARAMETER on `status_mode`.
    """
    if mode not in STATUS_MODES:
        raise invalid("status_mode", "The status_mode is legacy, strict, or empty for the project's.")


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it checks it
    except ValueError:
        return None
    return parts if parts.hostname and "@" not in parts.netloc and url.isprintable() and " " not in url else None


def _is_redirect_url(url: str) -> bool:
    parts = _split(url)
    if parts is None or "#" in url or len(url) > _MAX_URL_LENGTH:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _is_website(url: str) -> bool:
    parts = _split(url)
    return parts is not None and parts.scheme in {"http", "https"} and len(url) <= _MAX_URL_LENGTH


def _is_origin(origin: str) -> bool:
    parts = _split(origin)
    return parts is not None and parts.scheme in {"http", "https"} and f"{parts.scheme}://{parts.netloc}" == origin

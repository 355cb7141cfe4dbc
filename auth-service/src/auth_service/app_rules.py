"""What an app's name, URLs, origins and scopes may be. Called by `apps` before an app is stored. Pure."""

import re
from urllib.parse import SplitResult, urlsplit

from auth_service.model import App
from runtime.errors import invalid

_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,100}")  # RFC 6749 section 3.3
_MAX_NAME_LENGTH = 100
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def checked(app: App) -> App:
    """Return an app that may be stored.

    Raises:
        GatepostError: INVALID_PARAMETER on `name`, `redirect_urls`, `origins` or `scopes`.
    """
    if not app.name.strip() or len(app.name) > _MAX_NAME_LENGTH or not app.name.isprintable():
        raise invalid("name", f"An app's name has 1 to {_MAX_NAME_LENGTH} printable characters.")
    if not all(_is_redirect_url(url) for url in app.redirect_urls):
        raise invalid("redirect_urls", "A redirect URL is absolute, https (http for loopback), without fragment.")
    if not all(_is_origin(origin) for origin in app.origins):
        raise invalid("origins", "An origin is scheme://host or scheme://host:port, nothing after it.")
    if not all(_SCOPE.fullmatch(scope) for scope in app.scopes):
        raise invalid("scopes", "A scope is printable ASCII without blank, quote and backslash (RFC 6749 3.3).")
    return app


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it checks it
    except ValueError:
        return None
    return parts if parts.hostname and "@" not in parts.netloc and url.isprintable() and " " not in url else None


def _is_redirect_url(url: str) -> bool:
    parts = _split(url)
    if parts is None or "#" in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _is_origin(origin: str) -> bool:
    parts = _split(origin)
    return parts is not None and parts.scheme in {"http", "https"} and f"{parts.scheme}://{parts.netloc}" == origin

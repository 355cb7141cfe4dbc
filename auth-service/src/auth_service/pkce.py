"""Proof key for code exchange (RFC 7636): checking what a client sends, and proving it later. Pure."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode

from auth_service.model import App, AppType, Pkce
from runtime.errors import Rule, invalid, missing

_S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def check(app: App, challenge: str, method: str) -> Pkce | None:
    """Check the challenge that a client sends when it asks for a code.

    Args:
        app: The client; a public one must send a challenge.
        challenge: As sent, empty for none.
        method: `S256`, `plain`, or empty for not named, which means S256 unless the app's record allows plain too.

    Raises:
        GatepostError: MISSING_PARAMETER or INVALID_PARAMETER on `code_challenge` or `code_challenge_method`.
    """
    if not challenge:
        if method:
            raise missing("code_challenge")
        if app.type is AppType.PUBLIC:
            raise missing("code_challenge")
        return None
    if method not in {"", "S256", "plain"}:
        raise invalid("code_challenge_method", "The code_challenge_method must be S256.")
    if method == "plain" and not (app.allow_plain_pkce or app.project.allow_plain_pkce):
        raise invalid("code_challenge_method", "The code_challenge_method must be S256.")
    if not method and app.allow_plain_pkce:
        method = "any"
    form = _S256_CHALLENGE if method in {"", "S256"} else _VERIFIER
    if not form.fullmatch(challenge):
        raise invalid("code_challenge", "The code_challenge format is invalid.", Rule.INVALID)
    return Pkce(challenge, method or "S256")


def proves(pkce: Pkce | None, verifier: str) -> bool:
    """Say whether a verifier proves a challenge; one without the other never does (no downgrade, RFC 9700 2.1.1)."""
    if pkce is None or not verifier:
        return pkce is None and not verifier
    if not _VERIFIER.fullmatch(verifier):
        return False
    hashed = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    by_hash = hmac.compare_digest(hashed, pkce.challenge)
    by_text = hmac.compare_digest(verifier, pkce.challenge)
    return {"S256": by_hash, "plain": by_text, "any": by_hash or by_text}[pkce.method]

"""Service credentials: short-lived signed tokens that one service shows another (RFC 7519, HS256).

A user's token is never a service credential. Used by `grpc_server`, `grpc_client` and the command line.
"""

from time import time

import jwt

from runtime.errors import GatepostError, Reason

Metadata = tuple[tuple[str, str], ...]
"""Of a gRPC call."""
_LIFETIME_SECONDS = 600
_MIN_KEY_LENGTH = 32
_MAX_CACHED = 256


class ServiceKeys:
    """Signs with the first key, verifies with any; so keys rotate without a pause.

    Args:
        keys: Shared by all services of an installation, 32 characters or more each.

    Raises:
        ValueError: No key, or one too short.
    """

    def __init__(self, keys: list[str]) -> None:
        if not keys or any(len(key) < _MIN_KEY_LENGTH for key in keys):
            raise ValueError(f"service keys need {_MIN_KEY_LENGTH} characters or more each")
        self._keys = keys
        self._minted: dict[tuple[str, str], tuple[float, str]] = {}
        self._verified: dict[tuple[str, str], tuple[float, str]] = {}

    def mint(self, issuer: str, audience: str) -> str:
        """Return a credential that names who calls whom; the same one for half of its ten minutes."""
        now = time()
        expires, token = self._minted.get((issuer, audience), (0.0, ""))
        if expires - now < _LIFETIME_SECONDS / 2:
            expires = now + _LIFETIME_SECONDS
            token = jwt.encode({"iss": issuer, "aud": audience, "exp": int(expires)}, self._keys[0], algorithm="HS256")
            self._minted[issuer, audience] = (expires, token)
        return token

    def metadata(self, issuer: str, audience: str) -> Metadata:
        """Return what a call shows of it (RFC 6750 section 2.1)."""
        return (("authorization", f"Bearer {self.mint(issuer, audience)}"),)

    def verify(self, token: str, audience: str) -> str:
        """Return the name of the caller.

        Raises:
            GatepostError: CALLER_REFUSED if the token is not ours, not for this audience, or expired.
        """
        expires, caller = self._verified.get((audience, token), (0.0, ""))
        if expires > time():
            return caller
        for key in self._keys:
            try:
                claims = jwt.decode(
                    token, key, algorithms=["HS256"], audience=audience, options={"require": ["iss", "aud", "exp"]}
                )
            except jwt.InvalidTokenError:
                continue
            if len(self._verified) >= _MAX_CACHED:
                self._verified.clear()
            self._verified[audience, token] = (float(claims["exp"]), str(claims["iss"]))
            return str(claims["iss"])
        raise GatepostError(Reason.CALLER_REFUSED, "a valid service credential is required")

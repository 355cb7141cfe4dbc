"""The cookies of our pages, all of one kind: bound to this host, TLS only, out of reach of scripts."""

from typing import Final

# A session of auth-service, form WEB.
SESSION: Final = "__Host-gatepost"
# A random value that forms are bound to before there is a session.
VISIT: Final = "__Host-gatepost-visit"
# The language chosen by the switch.
LANGUAGE: Final = "__Host-gatepost-language"
# The challenge that a page has led to, until it is answered.
STEP: Final = "__Host-gatepost-step"
# What the browser is known by when somebody signs in on it again.
DEVICES: Final = "__Host-gatepost-devices"
# As long as browsers keep any cookie (RFC 6265bis section 5.5).
LONGEST_SECONDS: Final = 34_560_000


def secure(name: str, value: str, *attributes: str) -> str:
    """Return a Set-Cookie value; without attributes the cookie goes when the browser does."""
    return "; ".join((f"{name}={value}", "Path=/", "Secure", "HttpOnly", "SameSite=Lax", *attributes))


def expired(name: str) -> str:
    """Return the Set-Cookie value that takes a cookie away."""
    return secure(name, "", "Max-Age=0")

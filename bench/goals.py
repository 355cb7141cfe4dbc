"""The workloads, what limits each of them, and the goals: the one table that is judged.

A limit is a sum of ceilings (bench.ceilings) in microseconds of CPU; that of the two that hash passwords is hashes per
second. Nothing is measured here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

NOISE = 0.1
"""A goal is missed when the figure is this part below it, or the measured spread if that is larger."""
PEERS_CHEAPER = 2.0
"""How many times cheaper than the best peer a request is meant to be."""
PEERS_SIGN_IN = 1.05
"""The same, where hashing is nearly all of the cost."""
CHEAP_P95_MS = 5.0
"""What the cheap calls of `mixed` keep while the hash pool is saturated."""
IDLE_MEMORY_MB = 250.0
IDLE_CPU_SHARE = 0.01
SECOND_START_SECONDS = 3.0
GROWTH = 1.2
"""How many times its cost with a thousand users a request may cost with ten million."""

POST_RPC_SCRIPT_SIGNATURE = {"http_post": 1.0, "rpc": 1.0, "script": 1.0, "signature": 1.0}


@dataclass(frozen=True)
class Goal:
    """What a workload is measured against.

    Attributes:
        title: what is done, for the report.
        ratio: to reach, of the limit.
        parts: ceilings whose CPU times add up to the limit, with how often each is due; empty for the bare hash loop.
        peers: the ratio to reach to the best peer.
        limit: the limit in words.
    """

    title: str
    ratio: float
    limit: str
    parts: Mapping[str, float] = field(default_factory=dict)
    peers: float = PEERS_CHEAPER

    @property
    def hashes(self) -> bool:
        """Whether the limit is the bare hash loop."""
        return not self.parts


GOALS: Mapping[str, Goal] = {
    "sign-in": Goal("sign-in with password -> code -> tokens", 0.92, "bare Argon2 loop", peers=PEERS_SIGN_IN),
    "sign-up": Goal("sign-up", 0.88, "bare Argon2 loop", peers=PEERS_SIGN_IN),
    "otp-verify": Goal(
        "mailed code verified", 0.6, "POST + coalesced RPC + script + signature", POST_RPC_SCRIPT_SIGNATURE
    ),
    "code": Goal(
        "code -> tokens",
        0.55,
        "POST + coalesced RPC + script + signature + coalesced commit",
        POST_RPC_SCRIPT_SIGNATURE | {"commit": 1.0},
    ),
    "auth-key": Goal(
        "auth_key -> access_token",
        0.55,
        "POST + coalesced RPC + script + signature + coalesced commit",
        POST_RPC_SCRIPT_SIGNATURE | {"commit": 1.0},
    ),
    "refresh": Goal(
        "refresh with rotation",
        0.6,
        "POST + coalesced RPC + script + signature + coalesced commit",
        POST_RPC_SCRIPT_SIGNATURE | {"commit": 1.0},
    ),
    "profile": Goal("profile read, repeated tokens", 0.6, "aiohttp hello", {"http_get": 1.0}),
    "profile-cold": Goal(
        "profile read, every token and user new",
        0.5,
        "GET + coalesced RPC + coalesced read",
        {"http_get": 1.0, "rpc": 1.0, "read": 1.0},
    ),
    "profile-update": Goal(
        "profile update, durable",
        0.45,
        "POST + coalesced RPC + coalesced commit",
        {"http_post": 1.0, "rpc": 1.0, "commit": 1.0},
    ),
    "token-check": Goal("token check by a resource server", 0.6, "aiohttp hello", {"http_get": 1.0}),
    "mixed": Goal(
        "60 % profile, 20 % check, 8 % refresh, 5 % update, 5 % code or auth_key, 2 % sign-in",
        0.6,
        "sum of the above",
        {
            "http_get": 0.8,
            "http_post": 0.20,
            "rpc": 0.18,
            "script": 0.13,
            "signature": 0.13,
            "commit": 0.18,
            "hash": 0.02,
        },
    ),
}
MIX: Mapping[str, float] = {
    "profile": 0.60,
    "token-check": 0.20,
    "refresh": 0.08,
    "profile-update": 0.05,
    "code": 0.025,
    "auth-key": 0.025,
    "sign-in": 0.02,
}
"""What `mixed` is made of; a sign-in counts as its one request that hashes."""

"""What is nobody's dialect: `/healthz`, `/readyz`, our public keys, and every path that nothing else owns.

Built by `main` as one more value of the kind that dialects are, with problem details for errors.
"""

from gateway import problem
from gateway.call import Call
from gateway.dialect import Dialect, Route
from gateway.guards import ANYONE
from gateway.limits import Limit
from gateway.readiness import Readiness
from gateway.reply import Reply


def house(readiness: Readiness) -> Dialect:
    """Make the owner of `/`."""

    async def healthz(_call: Call) -> Reply:
        return Reply(json={"status": "alive"})

    async def readyz(_call: Call) -> Reply:
        everything = await readiness.everything()
        ready = all((await readiness.checks()).values())
        return Reply(status=200 if ready else 503, json={"ready": ready, "checks": everything})

    async def key_set(call: Call) -> Reply:
        """Return the keys that signatures of ours are checked with (RFC 7517); to every page, since they are public."""
        found = await call.clients.key_set()
        headers = {
            "Content-Type": "application/jwk-set+json",
            "Cache-Control": f"public, max-age={found.cache_seconds}",
            "Access-Control-Allow-Origin": "*",
        }
        return Reply(body=found.key_set.encode(), headers=headers)

    return Dialect(
        name="gatepost",
        prefixes=("/",),
        routes=(
            Route("GET HEAD", "/healthz", healthz, ANYONE, Limit.HEALTH),
            Route("GET HEAD", "/readyz", readyz, ANYONE, Limit.HEALTH),
            Route("GET HEAD", "/.well-known/jwks.json", key_set, ANYONE, Limit.ORDINARY),
        ),
        errors=problem.ERRORS,
        error_body=problem.body,
        cors=False,
    )

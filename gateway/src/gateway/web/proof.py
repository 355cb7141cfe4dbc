"""The proof of work that a form carries while its project is under attack; auth-service makes and checks it (ADR 17).

The page's script, the only one of ours, finds the nonce; without script a person waits. `pages.door` shows what is
demanded, the forms at the door pass on what they held.
"""

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from gatepost.auth.v1.sign_in_pb2 import DemandProofRequest, DemandProofResponse, ProofOfWork
from gateway.call import Call
from gateway.fields import text
from gateway.web.forms import PageForm
from runtime.errors import GatepostError

SCRIPT = (files("gateway") / "assets" / "proof.js").read_bytes()
SCRIPT_VERSION = sha256(SCRIPT).hexdigest()[:16]
SCRIPT_URL = f"/assets/proof.js?v={SCRIPT_VERSION}"


@dataclass(frozen=True, slots=True)
class ProvingForm(PageForm):
    """A form that may have to prove work.

    Args:
        proof: The challenge it was shown with; empty for none.
        nonce: What the script found; empty without script.
    """

    proof: str = text(default="")
    nonce: str = text(default="")

    @property
    def worked(self) -> ProofOfWork:
        """What the form held, for the core, which marks by it that this is a form."""
        return ProofOfWork(challenge=self.proof, nonce=self.nonce)


async def demanded(call: Call, project: str) -> DemandProofResponse | None:
    """Return what a form of the project has to prove; None for nothing, also when that cannot be found out now.

    Args:
        call: The request.
        project: Name of the project.
    """
    with suppress(GatepostError):
        demand = await call.clients.sign_in.DemandProof(DemandProofRequest(project=project))
        return demand if demand.challenge else None
    return None

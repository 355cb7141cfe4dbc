"""Proofs of work as Valkey keeps them: each is good once."""

from hashlib import sha256
from itertools import count
from uuid import uuid4

import pytest
from store.auth.engines import Engines

from auth_service.limits import Limit
from auth_service.model import Proof
from auth_service.proof_of_work import ProofOfWork, Terms
from runtime.context import CallContext, bound
from runtime.errors import GatepostError, Reason


async def test_a_proof_is_good_once_also_where_clients_name_their_requests(engines: Engines) -> None:
    terms = Terms(after=1, window_seconds=60, bits=4, wait_seconds=30, waits=Limit("proof-waits", 1, 60))
    proofs = ProofOfWork(engines.valkey, engines.ring, engines.clock, engines.limiter, terms)
    project = f"attacked-{uuid4()}"
    with bound(CallContext(client_address="192.0.2.7", request_id="always-the-same")):
        await proofs.failed(project, Proof("", ""))
        demand = await proofs.offer(project)
        assert demand is not None
        nonce = next(n for n in count() if sha256(f"{demand.challenge}:{n}".encode()).digest()[0] >> 4 == 0)
        await proofs.demand(project, Proof(demand.challenge, str(nonce)))
        with pytest.raises(GatepostError) as refused:
            await proofs.demand(project, Proof(demand.challenge, str(nonce)))
    assert refused.value.reason is Reason.MISSING_PARAMETER

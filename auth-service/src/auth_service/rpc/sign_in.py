"""SignInService."""

from typing import Any

from grpc.aio import ServicerContext

from auth_service.identities import Identities
from auth_service.model import Asking, ExternalIdentity, Proof, Purpose, TokenForm
from auth_service.proof_of_work import ProofOfWork
from auth_service.recovery import Recovery
from auth_service.rpc import convert
from auth_service.sign_in import SignIn
from auth_service.sign_up import Newcomer, SignUp
from auth_service.verification import Verification
from gatepost.auth.v1 import sign_in_pb2 as pb
from gatepost.auth.v1.sign_in_pb2_grpc import SignInServiceServicer
from runtime.errors import GatepostError, Reason

Context = ServicerContext[Any, Any]
_OF_SIGN_IN = {Purpose.OTP, Purpose.TWO_STEP}


class SignInRpc(SignInServiceServicer):
    """See proto/gatepost/auth/v1/sign_in.proto.

    Args:
        sign_up: Makes accounts.
        sign_in: Checks first factors.
        verification: Checks answers.
        recovery: Resets passwords.
        identities: Checks external identities.
        proofs: Says what forms have to prove.
    """

    def __init__(
        self,
        sign_up: SignUp,
        sign_in: SignIn,
        verification: Verification,
        recovery: Recovery,
        identities: Identities,
        proofs: ProofOfWork,
    ) -> None:
        self._sign_up = sign_up
        self._sign_in = sign_in
        self._verification = verification
        self._recovery = recovery
        self._identities = identities
        self._proofs = proofs

    async def SignUp(self, request: pb.SignUpRequest, _context: Context) -> pb.SignUpResponse:
        """Sign a person up."""
        newcomer = Newcomer(
            account_id=convert.uuid(request.user_id, "user_id"),
            email=request.email,
            password=request.password,
            profile=convert.new_profile(request.profile),
            username=request.username,
            identity=_identity(request.identity) if request.HasField("identity") else None,
        )
        step = await self._sign_up(_asking(request), newcomer)
        return pb.SignUpResponse(result=convert.step_message(step))

    async def SignIn(self, request: pb.SignInRequest, _context: Context) -> pb.SignInResponse:
        """Check the first factor."""
        step = await self._sign_in(
            _asking(request),
            login=request.login,
            password=request.password,
            single_step=request.single_step,
            devices=request.devices,
        )
        return pb.SignInResponse(result=convert.step_message(step))

    async def VerifyChallenge(
        self, request: pb.VerifyChallengeRequest, _context: Context
    ) -> pb.VerifyChallengeResponse:
        """Answer a challenge."""
        purpose = convert.PURPOSES.get(request.purpose)
        if purpose not in _OF_SIGN_IN:
            raise GatepostError(Reason.CHALLENGE_FAILED)
        step = await self._verification(purpose, request.handle, request.code)
        if step.session is not None:
            return pb.VerifyChallengeResponse(session=convert.issued_message(step.session))
        return pb.VerifyChallengeResponse(code=step.code or "")

    async def StartPasswordReset(
        self, request: pb.StartPasswordResetRequest, _context: Context
    ) -> pb.StartPasswordResetResponse:
        """Mail a reset code."""
        client = request.client
        # No session comes of it, so the form is of no matter.
        asking = Asking(
            client.client_id,
            client.client_secret,
            project=request.project,
            form=TokenForm.WEB,
            proof=_proof(request),
        )
        challenge = await self._recovery.start(asking, request.email)
        return pb.StartPasswordResetResponse(challenge=convert.challenge_message(challenge))

    async def CompletePasswordReset(
        self, request: pb.CompletePasswordResetRequest, _context: Context
    ) -> pb.CompletePasswordResetResponse:
        """Set a new password."""
        if request.handle or not request.email:
            device = await self._recovery.complete(handle=request.handle, code=request.code, password=request.password)
        else:
            device = await self._recovery.complete_by_email(
                project=request.project, email=request.email, code=request.code, password=request.password
            )
        return pb.CompletePasswordResetResponse(device=device)

    async def SignInWithIdentity(
        self, request: pb.SignInWithIdentityRequest, _context: Context
    ) -> pb.SignInWithIdentityResponse:
        """Sign in on an external provider's word."""
        session = await self._identities.sign_in(
            request.project, convert.form(request.form), _identity(request.identity)
        )
        return pb.SignInWithIdentityResponse(session=convert.issued_message(session))

    async def DemandProof(self, request: pb.DemandProofRequest, _context: Context) -> pb.DemandProofResponse:
        """Say what a form has to prove."""
        demand = await self._proofs.offer(request.project)
        if demand is None:
            return pb.DemandProofResponse()
        return pb.DemandProofResponse(challenge=demand.challenge, bits=demand.bits, wait_seconds=demand.wait_seconds)


def _asking(request: pb.SignUpRequest | pb.SignInRequest) -> Asking:
    return Asking(
        client_id=request.client.client_id,
        client_secret=request.client.client_secret,
        challenge=request.pkce.challenge,
        challenge_method=request.pkce.method,
        project=request.project,
        form=convert.form(request.form),
        proof=_proof(request),
    )


def _proof(request: pb.SignUpRequest | pb.SignInRequest | pb.StartPasswordResetRequest) -> Proof | None:
    return Proof(request.proof.challenge, request.proof.nonce) if request.HasField("proof") else None


def _identity(message: pb.ExternalIdentity) -> ExternalIdentity:
    return ExternalIdentity(message.provider, message.token, message.subject)

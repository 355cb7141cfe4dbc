"""SignInService."""

from typing import Any

from grpc.aio import ServicerContext

from auth_service.model import Purpose
from auth_service.recovery import Recovery
from auth_service.rpc import convert
from auth_service.sign_in import SignIn
from auth_service.sign_up import SignUp
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
    """

    def __init__(self, sign_up: SignUp, sign_in: SignIn, verification: Verification, recovery: Recovery) -> None:
        self._sign_up = sign_up
        self._sign_in = sign_in
        self._verification = verification
        self._recovery = recovery

    async def SignUp(self, request: pb.SignUpRequest, _context: Context) -> pb.SignUpResponse:
        """Sign a person up."""
        step = await self._sign_up(
            account_id=convert.uuid(request.user_id, "user_id"),
            client_id=request.client.client_id,
            client_secret=request.client.client_secret,
            email=request.email,
            password=request.password,
            challenge=request.pkce.challenge,
            challenge_method=request.pkce.method,
            profile=convert.new_profile(request.profile),
        )
        return pb.SignUpResponse(result=convert.step_message(step))

    async def SignIn(self, request: pb.SignInRequest, _context: Context) -> pb.SignInResponse:
        """Check the first factor."""
        step = await self._sign_in(
            client_id=request.client.client_id,
            client_secret=request.client.client_secret,
            login=request.login,
            password=request.password,
            challenge=request.pkce.challenge,
            challenge_method=request.pkce.method,
        )
        return pb.SignInResponse(result=convert.step_message(step))

    async def VerifyChallenge(
        self, request: pb.VerifyChallengeRequest, _context: Context
    ) -> pb.VerifyChallengeResponse:
        """Answer a challenge."""
        purpose = convert.PURPOSES.get(request.purpose)
        if purpose not in _OF_SIGN_IN:
            raise GatepostError(Reason.CHALLENGE_FAILED)
        code = await self._verification(purpose, request.handle, request.code)
        return pb.VerifyChallengeResponse(code=code)

    async def StartPasswordReset(
        self, request: pb.StartPasswordResetRequest, _context: Context
    ) -> pb.StartPasswordResetResponse:
        """Mail a reset code."""
        challenge = await self._recovery.start(
            client_id=request.client.client_id, client_secret=request.client.client_secret, email=request.email
        )
        return pb.StartPasswordResetResponse(challenge=convert.challenge_message(challenge))

    async def CompletePasswordReset(
        self, request: pb.CompletePasswordResetRequest, _context: Context
    ) -> pb.CompletePasswordResetResponse:
        """Set a new password."""
        await self._recovery.complete(handle=request.handle, code=request.code, password=request.password)
        return pb.CompletePasswordResetResponse()

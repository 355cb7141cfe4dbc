"""External identities: signing in on the word of a provider, and linking one to the account made at the same time.

    identifier of kind `external`, normalised as provider:subject

An identity is linked to no account but the one that is made in the same sign-up, so nobody can add his own to
another's account.
"""

from auth_service.admission import Admission
from auth_service.audit import Audit
from auth_service.clients import Clients
from auth_service.facebook import Facebook
from auth_service.limits import Limit, Limiter, of_address
from auth_service.model import AccountState, Asking, ExternalIdentity, IssuedSession, TokenForm
from auth_service.store import accounts
from runtime.context import current
from runtime.errors import GatepostError, Reason, missing
from runtime.postgres import Database


class Identities:
    """The use cases. Dependencies as named; see main.py. Without `facebook` nobody can sign in by it."""

    def __init__(
        self,
        *,
        database: Database,
        clients: Clients,
        admission: Admission,
        audit: Audit,
        limiter: Limiter,
        per_address: Limit,
        facebook: Facebook | None,
    ) -> None:
        self._database = database
        self._clients = clients
        self._admission = admission
        self._audit = audit
        self._limiter = limiter
        self._per_address = per_address
        self._facebook = facebook

    async def sign_in(self, project: str, form: TokenForm, identity: ExternalIdentity) -> IssuedSession:
        """Sign in whoever a token is of. See SignInService.SignInWithIdentity for arguments, answers and errors."""
        if not project:
            raise missing("project")
        entry = await self._clients.enter(Asking(project=project, form=form))
        subject = await self.inspect(identity)
        async with self._database.transaction() as connection:
            found = await accounts.fetch_by_identifier(connection, entry.project.id, "external", subject)
            if found is None or found[0].state is not AccountState.ACTIVE:
                raise GatepostError(Reason.IDENTITY_UNKNOWN)
            await self._audit.record(connection, "account.sign_in", account=found[0])
            step = await self._admission.finish(connection, entry, found[0])
        if step.session is None:  # nobody asks for an app here
            raise GatepostError(Reason.INTERNAL)
        return step.session

    async def inspect(self, identity: ExternalIdentity) -> str:
        """Return whose token it is, normalised as provider:subject, after asking the provider.

        Raises:
            GatepostError: IDENTITY_INVALID; RATE_LIMITED after too many of those from one address; UNAVAILABLE.
        """
        address = of_address(current().client_address)
        await self._limiter.check((self._per_address, address))
        if identity.provider == "facebook" and self._facebook is not None and identity.token:
            subject = await self._facebook.inspect(identity.token)
            if subject is not None and identity.subject in {"", subject}:
                return f"facebook:{subject}"
        await self._limiter.count_failures((self._per_address, address))
        raise GatepostError(Reason.IDENTITY_INVALID)

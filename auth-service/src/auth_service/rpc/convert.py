"""Model values as messages, and the small readings that several services share."""

from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from auth_service.model import (
    Account,
    AccountState,
    ApiKey,
    App,
    AppSecret,
    AppType,
    AppUsage,
    Grant,
    IssuedSession,
    Link,
    LinkPurpose,
    NewProfile,
    OpenChallenge,
    Project,
    Purpose,
    Session,
    SignInPolicy,
    SignInStep,
    TokenForm,
    TokenSet,
)
from gatepost.auth.v1 import (
    accounts_pb2,
    apps_pb2,
    forms_pb2,
    grants_pb2,
    links_pb2,
    projects_pb2,
    sign_in_pb2,
    tokens_pb2,
)
from runtime.errors import invalid

POLICIES = {
    projects_pb2.SIGN_IN_POLICY_NONE: SignInPolicy.NONE,
    projects_pb2.SIGN_IN_POLICY_OTP: SignInPolicy.OTP,
    projects_pb2.SIGN_IN_POLICY_TWO_STEP: SignInPolicy.TWO_STEP,
}
STATES = {
    accounts_pb2.ACCOUNT_STATE_PENDING: AccountState.PENDING,
    accounts_pb2.ACCOUNT_STATE_ACTIVE: AccountState.ACTIVE,
    accounts_pb2.ACCOUNT_STATE_DISABLED: AccountState.DISABLED,
}
PURPOSES = {
    sign_in_pb2.CHALLENGE_PURPOSE_OTP: Purpose.OTP,
    sign_in_pb2.CHALLENGE_PURPOSE_TWO_STEP: Purpose.TWO_STEP,
    sign_in_pb2.CHALLENGE_PURPOSE_RESET: Purpose.RESET,
    sign_in_pb2.CHALLENGE_PURPOSE_EMAIL_CHANGE: Purpose.EMAIL_CHANGE,
    sign_in_pb2.CHALLENGE_PURPOSE_VERIFY: Purpose.VERIFY,
}
FORMS = {
    forms_pb2.TOKEN_FORM_UNSPECIFIED: TokenForm.PAIR,
    forms_pb2.TOKEN_FORM_PAIR: TokenForm.PAIR,
    forms_pb2.TOKEN_FORM_SHORT_PAIR: TokenForm.SHORT_PAIR,
    forms_pb2.TOKEN_FORM_SINGLE: TokenForm.SINGLE,
    forms_pb2.TOKEN_FORM_SESSION_KEY: TokenForm.SESSION_KEY,
    forms_pb2.TOKEN_FORM_WEB: TokenForm.WEB,
}
_LINK_PURPOSES = {
    LinkPurpose.VERIFY_EMAIL: links_pb2.LINK_PURPOSE_VERIFY_EMAIL,
    LinkPurpose.UNDO_EMAIL_CHANGE: links_pb2.LINK_PURPOSE_UNDO_EMAIL_CHANGE,
    LinkPurpose.KEEP_ACCOUNT: links_pb2.LINK_PURPOSE_KEEP_ACCOUNT,
}
_PAGE = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS = 86_400
_POLICY_NUMBERS = {value: key for key, value in POLICIES.items()}
_STATE_NUMBERS = {value: key for key, value in STATES.items()}
_PURPOSE_NUMBERS = {value: key for key, value in PURPOSES.items()}
_FORM_NUMBERS = {value: key for key, value in FORMS.items()}
_APP_TYPES = {
    AppType.CONFIDENTIAL: apps_pb2.APP_TYPE_CONFIDENTIAL,
    AppType.PUBLIC: apps_pb2.APP_TYPE_PUBLIC,
}


def uuid(value: str, field: str) -> UUID:
    """Read a UUID.

    Raises:
        GatepostError: INVALID_PARAMETER on the field.
    """
    try:
        return UUID(value)
    except ValueError:
        raise invalid(field, f"The {field} must be a UUID.") from None


def policy(number: projects_pb2.SignInPolicy.ValueType) -> SignInPolicy:
    """Read a policy.

    Raises:
        GatepostError: INVALID_PARAMETER if it is unspecified or unknown.
    """
    if number not in POLICIES:
        raise invalid("sign_in_policy", "The sign_in_policy must be none, otp or two-step.")
    return POLICIES[number]


def form(number: forms_pb2.TokenForm.ValueType) -> TokenForm:
    """Read a form of tokens; unspecified means PAIR.

    Raises:
        GatepostError: INVALID_PARAMETER if it is unknown.
    """
    if number not in FORMS:
        raise invalid("form", "The form is not known.")
    return FORMS[number]


def timestamp(value: datetime) -> Timestamp:
    """Return a time as a message, in 0.6 µs; `Timestamp.FromDatetime` takes 1.9, and a session has five."""
    since = value - _EPOCH
    return Timestamp(seconds=since.days * _DAY_SECONDS + since.seconds, nanos=since.microseconds * 1000)


def page_size(number: int) -> int:
    """Read how many items a page may hold: 1 to 100, 0 for 100.

    Raises:
        GatepostError: INVALID_PARAMETER on `page_size`.
    """
    if number < 0:
        raise invalid("page_size", "The page_size may not be negative.")
    return min(number or _PAGE, _PAGE)


def new_profile(message: accounts_pb2.NewProfile) -> NewProfile:
    """Read what a profile starts with."""
    return NewProfile(
        first_name=message.first_name,
        last_name=message.last_name,
        phone=message.phone,
        meta=message.meta if message.HasField("meta") else None,
        gender=message.gender,
        birth_date=message.birth_date,
        location_id=message.location_id,
        latitude=message.latitude if message.HasField("latitude") else None,
        longitude=message.longitude if message.HasField("longitude") else None,
        language=message.language,
    )


def project_message(project: Project) -> projects_pb2.Project:
    """Return a project as a message."""
    return projects_pb2.Project(
        id=str(project.id),
        name=project.name,
        sign_in_policy=_POLICY_NUMBERS[project.sign_in_policy],
        roles=project.roles,
        self_assignable_roles=project.self_assignable_roles,
        hosts=project.hosts,
        dialects=project.dialects,
        password_min_length=project.password_min_length,
        allow_plain_pkce=project.allow_plain_pkce,
        create_time=timestamp(project.created_at),
        disabled=project.disabled,
        access_token_seconds=project.access_token_seconds,
        refresh_token_seconds=project.refresh_token_seconds,
        display_name=project.display_name,
        accent_color=project.accent_color,
        logo_picture=project.logo_picture,
        status_modes=project.status_modes,
        user_apps=project.user_apps,
        switches=project.switches,
    )


def secret_message(secret: AppSecret) -> apps_pb2.AppSecret:
    """Return a secret, without its value, as a message."""
    return apps_pb2.AppSecret(id=str(secret.id), hint=secret.hint, create_time=timestamp(secret.created_at))


def app_message(app: App, *, with_secrets: bool = True) -> apps_pb2.App:
    """Return an app as a message; its secrets are without their values anyway."""
    return apps_pb2.App(
        id=str(app.id),
        client_id=app.client_id,
        project=app.project.name,
        name=app.name,
        type=_APP_TYPES[app.type],
        redirect_urls=app.redirect_urls,
        scopes=app.scopes,
        origins=app.origins,
        allow_plain_pkce=app.allow_plain_pkce,
        disabled=app.disabled,
        create_time=timestamp(app.created_at),
        secrets=[secret_message(secret) for secret in app.secrets] if with_secrets else [],
        description=app.description,
        website=app.website,
        icon_picture=app.icon_picture,
        allow_query_secret=app.allow_query_secret,
        status_mode=app.status_mode,
        owner_id=str(app.owner_id or ""),
    )


def key_message(key: ApiKey) -> apps_pb2.ApiKey:
    """Return an API key, without its value, as a message."""
    return apps_pb2.ApiKey(
        id=str(key.id),
        project=key.project,
        scopes=key.scopes,
        hint=key.hint,
        create_time=timestamp(key.created_at),
        networks=key.networks,
        allow_query_credentials=key.allow_query_credentials,
        bypass_second_factor=key.bypass_second_factor,
        status_mode=key.status_mode,
    )


def account_message(account: Account) -> accounts_pb2.Account:
    """Return an account as a message."""
    return accounts_pb2.Account(
        user_id=str(account.id),
        project=account.project,
        state=_STATE_NUMBERS[account.state],
        role=account.role,
        email=account.email,
        email_verified=account.email_verified,
        username=account.username,
        create_time=timestamp(account.created_at),
        update_time=timestamp(account.updated_at),
        project_id=str(account.project_id),
        language=account.language,
        close_time=timestamp(account.closing_at) if account.closing_at else None,
        has_password=account.has_password,
    )


def session_message(session: Session) -> tokens_pb2.Session:
    """Return a session as a message."""
    return tokens_pb2.Session(
        id=str(session.id),
        client_id=session.client_id,
        auth_time=timestamp(session.authenticated_at),
        expire_time=timestamp(session.expires_at),
        scopes=session.scopes,
        create_time=timestamp(session.created_at),
        refresh_time=timestamp(session.rotated_at),
        form=_FORM_NUMBERS[session.form],
        last_use_time=timestamp(session.last_used_at or session.rotated_at),
        user_agent=session.user_agent,
        client_address=session.client_address,
        app_name=session.app_name,
    )


def issued_message(session: IssuedSession) -> sign_in_pb2.IssuedSession:
    """Return a session made without an app as a message."""
    return sign_in_pb2.IssuedSession(
        token=session.token,
        expire_time=timestamp(session.expires_at),
        account=account_message(session.account),
        device=session.device,
    )


def tokens_message(tokens: TokenSet) -> tokens_pb2.TokenSet:
    """Return tokens as a message."""
    return tokens_pb2.TokenSet(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        access_expire_time=timestamp(tokens.access_expires_at),
        expires_in=tokens.expires_in,
        scopes=tokens.scopes,
    )


def challenge_message(challenge: OpenChallenge) -> sign_in_pb2.Challenge:
    """Return a challenge as a message."""
    return sign_in_pb2.Challenge(
        handle=challenge.handle,
        purpose=_PURPOSE_NUMBERS[challenge.purpose],
        expire_time=timestamp(challenge.expires_at),
    )


def step_message(step: SignInStep) -> sign_in_pb2.SignInResult:
    """Return what a step leads to as a message."""
    if step.challenge is not None:
        return sign_in_pb2.SignInResult(
            policy=_POLICY_NUMBERS[step.policy], challenge=challenge_message(step.challenge)
        )
    if step.session is not None:
        return sign_in_pb2.SignInResult(policy=_POLICY_NUMBERS[step.policy], session=issued_message(step.session))
    return sign_in_pb2.SignInResult(policy=_POLICY_NUMBERS[step.policy], code=step.code or "")


def link_message(link: Link) -> links_pb2.Link:
    """Return a mailed link, without its token, as a message."""
    return links_pb2.Link(
        purpose=_LINK_PURPOSES[link.purpose],
        project=link.project,
        email=link.data.get("email", ""),
        expire_time=timestamp(link.expires_at),
    )


def usage_message(usage: AppUsage) -> apps_pb2.AppUsage:
    """Return what an app did on one day as a message."""
    return apps_pb2.AppUsage(day=usage.day, sign_ins=usage.sign_ins, users=usage.users, failures=usage.failures)


def grant_message(grant: Grant) -> grants_pb2.Grant:
    """Return a grant as a message."""
    return grants_pb2.Grant(
        id=str(grant.id),
        user_id=str(grant.account_id),
        client_id=grant.client_id,
        scopes=grant.scopes,
        grant_time=timestamp(grant.granted_at),
    )


def account_ref(message: accounts_pb2.AccountRef) -> UUID | tuple[str, str]:
    """Read which account is meant.

    Raises:
        GatepostError: INVALID_PARAMETER if neither form is given.
    """
    match message.WhichOneof("ref"):
        case "user_id":
            return uuid(message.user_id, "user_id")
        case "email":
            return message.email.project, message.email.email
        case _:
            raise invalid("account", "Name the account by user_id or by project and email.")

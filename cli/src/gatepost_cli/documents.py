"""The contract's messages as the commands' JSON documents: plain words for enums, ISO 8601 for times, null for unknown.

The names are part of the command's contract with programs: add to them freely, change none.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from gatepost.auth.v1.accounts_pb2 import Account, AccountState
from gatepost.auth.v1.apps_pb2 import ApiKey, App, AppSecret, AppType
from gatepost.auth.v1.operations_pb2 import AuditEvent, Key, KeyState, SigningKey
from gatepost.auth.v1.projects_pb2 import Project, SignInPolicy
from gatepost.notify.v1.messages_pb2 import Channel, Message, MessageStatus
from gatepost.users.v1.locations_pb2 import Location
from gatepost.users.v1.profiles_pb2 import Profile

Document = dict[str, Any]
POLICIES: Mapping[str, SignInPolicy.ValueType] = {
    "none": SignInPolicy.SIGN_IN_POLICY_NONE,
    "otp": SignInPolicy.SIGN_IN_POLICY_OTP,
    "two-step": SignInPolicy.SIGN_IN_POLICY_TWO_STEP,
}
_POLICY_WORDS = {number: word for word, number in POLICIES.items()}


def project(message: Project) -> Document:
    """Return a project; `project` is its name, as everywhere else."""
    return {
        "project": message.name,
        "id": message.id,
        "name": message.name,
        "sign_in": _POLICY_WORDS.get(message.sign_in_policy, "unknown"),
        "roles": list(message.roles),
        "self_assignable_roles": list(message.self_assignable_roles),
        "hosts": list(message.hosts),
        "dialects": list(message.dialects),
        "password_min_length": message.password_min_length,
        "allow_plain_pkce": message.allow_plain_pkce,
        "access_token_seconds": message.access_token_seconds or None,
        "refresh_token_seconds": message.refresh_token_seconds or None,
        "disabled": message.disabled,
        "display_name": message.display_name,
        "accent_color": message.accent_color,
        "logo_picture": message.logo_picture or None,
        "status_modes": dict(message.status_modes),
        "user_apps": message.user_apps,
        "switches": list(message.switches),
        "created_at": _time(message.create_time),
    }


def app(message: App) -> Document:
    """Return an app without the values of its secrets."""
    return {
        "app_id": message.client_id,
        "client_id": message.client_id,
        "id": message.id,
        "project": message.project,
        "name": message.name,
        "type": _word(AppType.Name(message.type), "APP_TYPE_"),
        "redirect_urls": list(message.redirect_urls),
        "scopes": list(message.scopes),
        "origins": list(message.origins),
        "allow_plain_pkce": message.allow_plain_pkce,
        "disabled": message.disabled,
        "created_at": _time(message.create_time),
        "secrets": [secret(each) for each in message.secrets],
        "description": message.description,
        "website": message.website,
        "icon_picture": message.icon_picture,
        "allow_query_secret": message.allow_query_secret,
        "status_mode": message.status_mode or None,
        "owner": message.owner_id or None,
    }


def secret(message: AppSecret) -> Document:
    """Return an app's secret without its value."""
    return {"id": message.id, "hint": message.hint, "created_at": _time(message.create_time)}


def api_key(message: ApiKey) -> Document:
    """Return an API key without its value."""
    return {
        "id": message.id,
        "project": message.project,
        "scopes": list(message.scopes),
        "hint": message.hint,
        "created_at": _time(message.create_time),
        "networks": list(message.networks),
        "allow_query_credentials": message.allow_query_credentials,
        "bypass_second_factor": message.bypass_second_factor,
        "status_mode": message.status_mode or None,
    }


def user(account: Account, profile: Profile | None) -> Document:
    """Return a user: what the identity core knows of him, and his profile if he has one yet."""
    known = profile or Profile()
    return {
        "id": account.user_id,
        "user_id": account.user_id,
        "project": account.project,
        "email": account.email,
        "verified": account.email_verified,
        "username": account.username,
        "state": _word(AccountState.Name(account.state), "ACCOUNT_STATE_"),
        "role": account.role,
        "number": known.number or None,
        "public_id": known.public_id or None,
        "first_name": known.first_name,
        "last_name": known.last_name,
        "phone": known.phone,
        "meta": known.meta if known.HasField("meta") else None,
        "created_at": _time(account.create_time),
        "updated_at": _time(account.update_time),
        "closing_at": _time(account.close_time) if account.HasField("close_time") else None,
    }


def location(place: Location) -> Document:
    """Return a place that users can name."""
    return {
        "id": place.id,
        "name": place.name,
        "parent_id": place.parent_id or None,
        "parent_name": place.parent_name or None,
    }


def message(sent: Message) -> Document:
    """Return a message of the outbox."""
    return {
        "id": sent.id,
        "to": sent.to,
        "channel": _word(Channel.Name(sent.channel), "CHANNEL_"),
        "template": sent.template,
        "language": sent.language,
        "subject": sent.subject,
        "text": sent.text,
        "html": sent.html,
        "code": sent.code,
        "link": sent.link,
        "created_at": _time(sent.create_time),
        "status": _word(MessageStatus.Name(sent.status), "MESSAGE_STATUS_"),
        "attempts": sent.attempts,
        "last_error": sent.last_error,
        "next_attempt_at": _time(sent.next_attempt_time) if sent.HasField("next_attempt_time") else None,
        "sent_at": _time(sent.sent_time) if sent.HasField("sent_time") else None,
        "message_id": sent.message_id,
        "project": sent.project,
    }


def key(token_key: Key) -> Document:
    """Return a key that tokens are made with, without its value."""
    return {
        "id": token_key.id,
        "active": token_key.active,
        "created_at": _time(token_key.create_time),
        "state": _word(KeyState.Name(token_key.state), "KEY_STATE_"),
        "revoked_at": _time(token_key.revoke_time) if token_key.HasField("revoke_time") else None,
    }


def signing_key(published: SigningKey) -> Document:
    """Return a key that signs for others, without its value."""
    return {
        "id": published.id,
        "state": _word(KeyState.Name(published.state), "KEY_STATE_"),
        "created_at": _time(published.create_time),
        "revoked_at": _time(published.revoke_time) if published.HasField("revoke_time") else None,
    }


def event(recorded: AuditEvent) -> Document:
    """Return an event of the audit trail."""
    return {
        "id": recorded.id,
        "time": _time(recorded.time),
        "action": recorded.action,
        "outcome": recorded.outcome,
        "actor": recorded.actor,
        "user_id": recorded.user_id,
        "project": recorded.project,
        "client_id": recorded.client_id,
        "address": recorded.address,
        "request_id": recorded.request_id,
    }


def _time(value: Timestamp) -> str:
    return value.ToJsonString()


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()

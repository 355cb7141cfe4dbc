"""The settings of notify-service. The only module of the service that reads the environment."""

from typing import Literal, Self

from pydantic import Field, FilePath, SecretStr, ValidationInfo, field_validator, model_validator

from notify_service import service_account
from notify_service.addresses import parse_sender
from runtime.settings import Address, AddressOrSocket, PostgresDsn, SharedSettings

_URL = r"^https?://[^\s/?#]+(/[^\s?#]*)?$"


class NotifySettings(SharedSettings):
    """Read from environment variables `GATEPOST_<NAME>`; a wrong one stops the start with a sentence that names it."""

    notify_listen: AddressOrSocket = Field(
        "127.0.0.1:7003", description="Where RPCs are taken: host:port (port 0: any that is free) or unix:/path."
    )
    notify_metrics_listen: Address = Field(
        "127.0.0.1:7103", description="Private host:port of /metrics, /healthz and /readyz."
    )
    notify_postgres_dsn: PostgresDsn = Field(
        description="DSN of the database `notify`, as in postgresql://user:password@host:5432/notify."
    )
    notify_postgres_pool_size: int = Field(
        10, ge=1, le=1000, description="Most PostgreSQL connections open at once, in each process."
    )
    public_url: str = Field(
        "http://127.0.0.1:8080",
        pattern=_URL,
        description="Where people reach the gateway; the only place that links in messages may lead to.",
    )

    mail_transport: Literal["outbox", "smtp"] = Field(
        "outbox",
        description="`outbox` sends nothing and keeps mails readable (development); `smtp` sends, then forgets them.",
    )
    mail_from: str = Field(
        "Gatepost <no-reply@localhost>",
        description="Sender of every mail, with or without a display name. Its domain is used in Message-ID and EHLO.",
    )
    smtp_host: str = Field(
        "", validate_default=True, description="Mail server. Required when GATEPOST_MAIL_TRANSPORT is `smtp`."
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_tls: Literal["none", "starttls", "implicit"] = Field(
        "starttls", description="How the connection is secured; `starttls` never falls back to plain text."
    )
    smtp_ca_file: FilePath | None = Field(
        None, description="PEM certificates the mail server must be signed by, instead of the system's."
    )
    smtp_username: str = Field("", description="Name for AUTH; empty for none.")
    smtp_password: SecretStr = Field(
        SecretStr(""), validate_default=True, description="Password for AUTH; goes with GATEPOST_SMTP_USERNAME."
    )
    smtp_timeout_seconds: float = Field(
        30.0, gt=0, le=600, description="Longest that handing one mail over may take, connecting included."
    )
    smtp_connections: int = Field(
        4, ge=1, le=100, description="Most connections to the mail server that one instance opens; they are reused."
    )

    sms_transport: Literal["outbox", "twilio"] = Field(
        "outbox", description="`outbox` sends nothing and keeps text messages readable; `twilio` sends by Twilio's API."
    )
    sms_base_url: str = Field(
        "https://api.twilio.com", pattern=_URL, description="Where the provider's API is, or one that speaks like it."
    )
    sms_account_sid: str = Field("", description="Account at the provider. Required to send text messages.")
    sms_auth_token: SecretStr = Field(
        SecretStr(""), description="Its password at the provider. Required to send text messages."
    )
    sms_from: str = Field(
        "",
        description="Sender: a number in E.164, a short code or name, or the SID (`MG…`) of a messaging service. "
        "Required to send text messages.",
    )
    sms_timeout_seconds: float = Field(
        10.0, gt=0, le=600, description="Longest that handing one text message over may take."
    )

    push_transport: Literal["outbox", "fcm"] = Field(
        "outbox",
        description="`outbox` sends nothing and keeps push messages readable; `fcm` sends by FCM's HTTP v1 API.",
    )
    fcm_base_url: str = Field(
        "https://fcm.googleapis.com", pattern=_URL, description="Where FCM's API is, or one that speaks like it."
    )
    fcm_credentials_file: FilePath | None = Field(
        None,
        validate_default=True,
        description="Service account key (JSON) of a Firebase project. Required when GATEPOST_PUSH_TRANSPORT is `fcm`.",
    )
    fcm_token_url: str = Field(
        "",
        pattern=rf"^$|{_URL}",
        description="Where access tokens are fetched; empty for the address in the service account key.",
    )
    push_timeout_seconds: float = Field(
        10.0, gt=0, le=600, description="Longest that one request to the push service may take."
    )

    delivery_attempts: int = Field(
        25, ge=1, le=1000, description="Attempts before a message is given up as dead; 25 last about 14 hours."
    )
    delivery_backoff_seconds: float = Field(
        2.0, gt=0, le=3600, description="Pause after the first failed attempt; doubled after each further one."
    )
    delivery_backoff_max_seconds: float = Field(
        3600.0, gt=0, le=86400, description="Longest pause between two attempts."
    )
    delivery_poll_seconds: float = Field(
        2.0, gt=0, le=60, description="How often the queue is looked at when nothing new was taken."
    )
    message_retention_days: float = Field(30.0, gt=0, description="Age at which delivered messages are deleted.")
    dead_message_retention_days: float = Field(
        90.0, gt=0, description="Age at which messages that could not be delivered are deleted."
    )

    @field_validator("mail_from")
    @classmethod
    def _one_sender(cls, value: str) -> str:
        parse_sender(value)
        return value

    @field_validator("smtp_host")
    @classmethod
    def _smtp_needs_host(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("mail_transport") == "smtp" and not value:
            raise ValueError("a mail server is needed when GATEPOST_MAIL_TRANSPORT is smtp")
        return value

    @field_validator("fcm_credentials_file")
    @classmethod
    def _fcm_needs_account(cls, value: FilePath | None, info: ValidationInfo) -> FilePath | None:
        if info.data.get("push_transport") != "fcm":
            return value
        if value is None:
            raise ValueError("a service account key is needed when GATEPOST_PUSH_TRANSPORT is fcm")
        service_account.read(value)
        return value

    @field_validator("smtp_password")
    @classmethod
    def _password_needs_name(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if bool(value.get_secret_value()) != bool(info.data.get("smtp_username")):
            raise ValueError("it is set together with GATEPOST_SMTP_USERNAME, or neither is")
        return value

    @model_validator(mode="after")
    def _twilio_needs_account(self) -> Self:
        facts = (self.sms_account_sid, self.sms_auth_token.get_secret_value(), self.sms_from)
        if self.sms_transport == "twilio" and not all(facts):
            raise ValueError(
                "GATEPOST_SMS_TRANSPORT twilio needs GATEPOST_SMS_ACCOUNT_SID, _AUTH_TOKEN and _FROM together"
            )
        return self

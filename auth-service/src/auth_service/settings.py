"""Settings of auth-service, from the environment (`GATEPOST_…`). Nothing else here reads it."""

from typing import Self

from pydantic import Field, FilePath, SecretStr, model_validator

from runtime.settings import Address, AddressOrSocket, PostgresDsn, SharedSettings

_MINUTE = 60
_DAY = 86_400
_MIN_MASTER_KEY_LENGTH = 32


class AuthSettings(SharedSettings):
    """See docs/operations.md for the generated table."""

    auth_listen: AddressOrSocket = Field("127.0.0.1:7001", description="Address the gRPC server listens on.")
    auth_metrics_listen: Address = Field("127.0.0.1:7101", description="Address of /metrics, /healthz and /readyz.")
    auth_postgres_dsn: PostgresDsn = Field(description="PostgreSQL database of auth-service.")
    auth_postgres_pool_size: int = Field(10, ge=1, description="Most PostgreSQL connections of one instance.")
    valkey_url: SecretStr = Field(
        description="Valkey or Redis: redis://, rediss://, unix://, redis+cluster://, redis+sentinel://."
    )
    valkey_timeout_seconds: float = Field(1.0, gt=0, description="Time for one Valkey command.")
    users_target: str = Field("ipv4:127.0.0.1:7002", description="gRPC target of user-service.")
    notify_target: str = Field("ipv4:127.0.0.1:7003", description="gRPC target of notify-service.")
    master_key: SecretStr | None = Field(
        None,
        description="Secret that keys are sealed with at rest, 32 characters or more. Several, separated by commas, "
        "while it is replaced: the first seals, all open.",
    )
    master_key_file: FilePath | None = Field(None, description="File that holds the master key, instead of master_key.")

    public_url: str = Field(
        "http://127.0.0.1:8080",
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
        description="Where people reach the gateway; what links in messages begin with.",
    )

    argon2_memory_kib: int = Field(19_456, ge=8, description="Memory of one Argon2id hash, in KiB.")
    argon2_iterations: int = Field(2, ge=1, description="Passes of one Argon2id hash.")
    argon2_parallelism: int = Field(1, ge=1, description="Lanes of one Argon2id hash.")
    hash_workers: int = Field(0, ge=0, description="Threads that hash passwords; 0 means one a core.")
    hash_queue_size: int = Field(64, ge=1, description="Hashes that may wait; beyond it sign-ins get 503.")

    breached_passwords_file: FilePath | None = Field(
        None, description="Passwords that nobody may choose, made by `gatepost passwords compile`."
    )

    code_seconds: int = Field(5 * _MINUTE, ge=1, description="Lifetime of a one-time code.")
    otp_seconds: int = Field(10 * _MINUTE, ge=1, description="Lifetime of a mailed sign-in or two-step code.")
    reset_seconds: int = Field(10 * _MINUTE, ge=1, description="Lifetime of a mailed code to reset a password.")
    reset_link_seconds: int = Field(30 * _MINUTE, ge=1, description="Lifetime of a mailed link to reset a password.")
    email_change_seconds: int = Field(10 * _MINUTE, ge=1, description="Lifetime of a code mailed to a new address.")
    email_undo_seconds: int = Field(
        7 * _DAY, ge=1, description="How long a change of address can be undone, and the old one is kept for its owner."
    )
    confirm_email_seconds: int = Field(3 * _DAY, ge=1, description="Lifetime of a link that proves an address.")
    phone_change_seconds: int = Field(10 * _MINUTE, ge=1, description="Lifetime of a code sent to a new phone number.")
    closing_seconds: int = Field(
        14 * _DAY, ge=1, description="How long a user can take back that he closed his account, before it is deleted."
    )
    apps_per_user: int = Field(20, ge=0, description="Apps that one user may register.")
    challenge_tries: int = Field(5, ge=1, description="Wrong answers that end a challenge.")
    registration_seconds: int = Field(_DAY, ge=1, description="How long an unproven sign-up is kept.")
    access_token_seconds: int = Field(_DAY, ge=1, description="Lifetime of an access token.")
    short_access_token_seconds: int = Field(
        60 * _MINUTE, ge=1, description="Lifetime of an access token where a dialect says it is short."
    )
    session_key_seconds: int = Field(90 * _DAY, ge=1, description="How long a device's key lives without being used.")
    web_idle_seconds: int = Field(7 * _DAY, ge=1, description="How long a browser's session lives without being used.")
    web_max_seconds: int = Field(30 * _DAY, ge=1, description="Longest life of a browser's session.")
    consent_seconds: int = Field(
        90 * _DAY, ge=1, description="How long after a user's consent an app gets a code without asking him again."
    )
    refresh_token_seconds: int = Field(30 * _DAY, ge=1, description="Lifetime of an unused refresh token.")
    session_max_seconds: int = Field(
        365 * _DAY, ge=1, description="Longest life of a session, however often refreshed."
    )
    refresh_replay_seconds: float = Field(
        10.0, ge=0, description="How long the refresh token before the present one gets the same successor again."
    )
    reauth_seconds: int = Field(
        10 * _MINUTE,
        ge=0,
        description="Age of a sign-in up to which sensitive changes need no new one; it must do for filling in a form.",
    )

    sign_in_failures_per_account: int = Field(
        10, ge=1, description="Wrong passwords in a row for an account after which the next one must wait."
    )
    sign_in_first_wait_seconds: float = Field(30, gt=0, description="That wait; each wrong password more doubles it.")
    sign_in_longest_wait_seconds: float = Field(60 * _MINUTE, gt=0, description="The wait grows no longer.")
    sign_in_most_failures: int = Field(
        100, ge=1, description="Wrong passwords in a row that lock an account's password for unknown devices."
    )
    sign_in_failure_memory_seconds: int = Field(
        30 * _DAY,
        ge=1,
        description="How long that many are remembered after the last one; fewer for less long in proportion.",
    )
    sign_in_failures_per_address: int = Field(300, ge=1, description="Wrong passwords per client address and window.")
    sign_in_failures_per_app: int = Field(30_000, ge=1, description="Wrong passwords per app and window.")
    sign_in_spray_accounts: int = Field(
        20, ge=1, description="Accounts with wrong passwords from one client address and in a window to be told of."
    )
    sign_in_failure_window_seconds: int = Field(
        5 * _MINUTE, ge=1, description="Window of wrong passwords per client address and per app."
    )
    code_failures_per_account: int = Field(30, ge=1, description="Wrong mailed codes per account and window.")
    code_failures_per_address: int = Field(300, ge=1, description="Wrong mailed codes per client address and window.")
    code_failure_window_seconds: int = Field(60 * _MINUTE, ge=1, description="Window of the two limits above.")
    mails_per_account: int = Field(
        10, ge=1, description="Codes, or links to reset a password, mailed to one address per purpose and window."
    )
    mails_per_address: int = Field(
        1000, ge=1, description="Codes mailed for sign-up, sign-in and reset per client address and window."
    )
    mails_per_app: int = Field(
        100_000, ge=1, description="Codes mailed for sign-up, sign-in and reset per app and window."
    )
    mail_window_seconds: int = Field(10 * _MINUTE, ge=1, description="Window of the limits of mailed codes.")
    texts_per_account: int = Field(5, ge=1, description="Codes sent by SMS per account, and to one number, and window.")
    texts_per_address: int = Field(100, ge=1, description="Codes sent by SMS per client address and window.")
    text_window_seconds: int = Field(_DAY, ge=1, description="Window of the two limits above.")
    sign_ups_per_address: int = Field(1000, ge=1, description="Sign-ups per client address and window.")
    sign_ups_per_app: int = Field(100_000, ge=1, description="Sign-ups per app and window.")
    sign_up_window_seconds: int = Field(60 * _MINUTE, ge=1, description="Window of the limits of sign-ups.")

    proof_of_work_after_count: int = Field(
        3000,
        ge=0,
        description="What may go wrong at a project's hosted forms, sign-ups and mailed codes included, in a window "
        "before they demand a proof of work; 0: never.",
    )
    proof_of_work_window_seconds: int = Field(5 * _MINUTE, ge=1, description="Window in which that is counted.")
    proof_of_work_waits_per_address: int = Field(
        20, ge=1, description="Forms of one client address and window that wait instead of working."
    )
    proof_of_work_wait_seconds: int = Field(
        30, ge=1, le=300, description="How long a browser without script waits instead of working."
    )
    proof_of_work_bits: int = Field(
        17, ge=1, le=24, description="Difficulty of a proof: two to the power of it hashes, on average."
    )

    facebook_app_id: str = Field("", description="Id of our app at Facebook; people sign in by Facebook if it is set.")
    facebook_app_secret: SecretStr | None = Field(None, description="Secret of our app at Facebook.")
    facebook_base_url: str = Field(
        "https://graph.facebook.com",
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
        description="Facebook's Graph API, with a version if one is to be pinned.",
    )
    facebook_timeout_seconds: float = Field(3.0, gt=0, description="Time for one question to Facebook.")

    @model_validator(mode="after")
    def _facebook_whole(self) -> Self:
        if bool(self.facebook_app_id) != bool(self.facebook_app_secret):
            raise ValueError("GATEPOST_FACEBOOK_APP_ID and GATEPOST_FACEBOOK_APP_SECRET go together")
        return self

    @model_validator(mode="after")
    def _sealable(self) -> Self:
        self.read_master_keys()
        return self

    def read_master_keys(self) -> list[str]:
        """Return the master keys from the variable or the file: the first seals, all open.

        Raises:
            ValueError: Neither is given, or one is shorter than 32 characters.
        """
        key = self.master_key.get_secret_value() if self.master_key else ""
        if not key and self.master_key_file:
            key = self.master_key_file.read_text(encoding="utf-8").strip()
        keys = [each.strip() for each in key.split(",")]
        if any(len(each) < _MIN_MASTER_KEY_LENGTH for each in keys):
            raise ValueError(
                f"GATEPOST_MASTER_KEY or GATEPOST_MASTER_KEY_FILE must give {_MIN_MASTER_KEY_LENGTH} characters or "
                "more, of each key if there are several"
            )
        return keys

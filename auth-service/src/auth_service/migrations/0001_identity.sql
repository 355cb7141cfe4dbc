-- Projects, their apps and keys.
CREATE TABLE projects (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    sign_in_policy text NOT NULL CHECK (sign_in_policy IN ('none', 'otp', 'two-step')),
    roles text[] NOT NULL,
    self_assignable_roles text[] NOT NULL,
    hosts text[] NOT NULL,
    dialects text[] NOT NULL,
    password_min_length integer NOT NULL,
    allow_plain_pkce boolean NOT NULL,
    access_token_seconds bigint NOT NULL,
    refresh_token_seconds bigint NOT NULL,
    disabled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE INDEX projects_hosts ON projects USING gin (hosts);

CREATE TABLE apps (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects,
    client_id text NOT NULL UNIQUE,
    name text NOT NULL,
    type text NOT NULL CHECK (type IN ('confidential', 'public')),
    redirect_urls text[] NOT NULL,
    scopes text[] NOT NULL,
    origins text[] NOT NULL,
    allow_plain_pkce boolean NOT NULL,
    disabled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE INDEX apps_project ON apps (project_id, created_at, id);
CREATE INDEX apps_origins ON apps USING gin (origins);

-- Secrets are random 128 bits, so a plain SHA-256 is enough (no password hash).
CREATE TABLE app_secrets (
    id uuid PRIMARY KEY,
    app_id uuid NOT NULL REFERENCES apps,
    hash bytea NOT NULL,
    hint text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX app_secrets_app ON app_secrets (app_id);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects,
    hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    hint text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX api_keys_project ON api_keys (project_id, created_at);

-- Accounts, the names they go by, and what they prove themselves with.
CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects,
    state text NOT NULL CHECK (state IN ('pending', 'active', 'disabled')),
    role text NOT NULL,
    security_version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX accounts_project ON accounts (project_id, created_at DESC, id DESC);

CREATE TABLE identifiers (
    project_id uuid NOT NULL REFERENCES projects,
    kind text NOT NULL CHECK (kind IN ('email', 'username', 'phone', 'external')),
    normalized text NOT NULL,
    value text NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    verified_at timestamptz,
    PRIMARY KEY (project_id, kind, normalized)
);
CREATE INDEX identifiers_account ON identifiers (account_id, kind);

CREATE TABLE credentials (
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('password')),
    hash text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, kind)
);

-- A sign-up whose address is not proven yet: becomes an account when its challenge is answered, or expires.
-- It claims no identifier, so nobody can sit on another's address.
CREATE TABLE registrations (
    project_id uuid NOT NULL REFERENCES projects,
    email_normalized text NOT NULL,
    account_id uuid NOT NULL UNIQUE,
    email text NOT NULL,
    password_hash text,
    profile jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, email_normalized)
);
CREATE INDEX registrations_expiry ON registrations (expires_at);

-- Profiles in user-service that have no account (any more): written before a profile is made and taken back in the
-- transaction that makes the account; written in the transaction that deletes an account. A loop deletes what is due.
CREATE TABLE profile_removals (
    account_id uuid PRIMARY KEY,
    due_at timestamptz NOT NULL
);
CREATE INDEX profile_removals_due ON profile_removals (due_at);

-- An app signed in by a user: a family of access and refresh tokens, which are computed from salt and generation.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    app_id uuid NOT NULL REFERENCES apps,
    scopes text[] NOT NULL,
    salt bytea NOT NULL,
    generation integer NOT NULL,
    security_version integer NOT NULL,
    code_hash bytea NOT NULL UNIQUE,
    authenticated_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    rotated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoke_reason text
);
CREATE INDEX sessions_account ON sessions (account_id, created_at DESC);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE grants (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    app_id uuid NOT NULL REFERENCES apps,
    scopes text[] NOT NULL,
    granted_at timestamptz NOT NULL,
    UNIQUE (account_id, app_id)
);

-- Keys that tokens and short codes are made with; the secret is sealed with the master key.
CREATE TABLE keys (
    id integer PRIMARY KEY,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL
);

-- Notices on their way to notify-service, written with the fact they announce. A row without message is a decoy, so
-- that work for an unknown address is the same.
CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    message jsonb,
    created_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    failure text
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE failure IS NULL;

CREATE TABLE audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    actor text NOT NULL,
    account_id uuid,
    project text NOT NULL,
    client_id text NOT NULL,
    address text NOT NULL,
    request_id text NOT NULL
);
CREATE INDEX audit_events_account ON audit_events (account_id, id DESC);

-- Append-only: neither a bug nor a stolen service connection rewrites history.
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'audit events are append-only'; END $$;
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- The outbox: every message ever taken, until retention removes it. Rendered when taken; `id` is the sender's
-- idempotency key.
CREATE TABLE messages (
    id uuid PRIMARY KEY,
    channel text NOT NULL CHECK (channel IN ('mail')),
    address text NOT NULL,
    template text NOT NULL,
    project text NOT NULL,
    language text NOT NULL,
    subject text NOT NULL,
    body_text text NOT NULL,
    body_html text NOT NULL,
    code text NOT NULL,
    link text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'dead')),
    -- Counted when claimed, never reset: it also tells the present holder of a claim from earlier ones.
    attempts integer NOT NULL DEFAULT 0,
    -- Attempts made before the last requeueing by hand; they do not count against the limit.
    attempts_forgiven integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    message_id text NOT NULL,
    created_at timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    -- An instance works on it until then; afterwards any instance may.
    claimed_until timestamptz,
    expires_at timestamptz,
    sent_at timestamptz
);
CREATE INDEX messages_due ON messages (next_attempt_at) WHERE status = 'pending';
CREATE INDEX messages_dead ON messages (created_at, id) WHERE status = 'dead';
CREATE INDEX messages_newest ON messages (created_at, id);
CREATE INDEX messages_by_address ON messages (lower(address), created_at, id);

-- Where push messages for a user can be sent. A token belongs to one user of a project at a time.
CREATE TABLE devices (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('gcm', 'fcm')),
    token text NOT NULL,
    -- SHA-256 of the token, which may be longer than an index entry can be.
    token_hash bytea NOT NULL,
    registered_at timestamptz NOT NULL,
    CONSTRAINT devices_token_once UNIQUE (project_id, token_hash)
);
CREATE INDEX devices_by_user ON devices (user_id, registered_at, id);

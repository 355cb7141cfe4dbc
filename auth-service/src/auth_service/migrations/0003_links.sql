-- What a person can do by following a link mailed to him; the token of the link is kept as its SHA-256.
-- An unused link that undoes a change of address also reserves the address it goes back to: nobody else can take it.
CREATE TABLE links (
    hash bytea PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('verify-email', 'undo-email-change', 'keep-account')),
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX links_account ON links (account_id, purpose);
CREATE INDEX links_expiry ON links (expires_at);
CREATE INDEX links_reserved ON links ((data ->> 'normalized'))
WHERE purpose = 'undo-email-change' AND used_at IS NULL;

-- Accounts that their users have closed, by the day they go.
CREATE INDEX accounts_closing ON accounts (closing_at) WHERE closing_at IS NOT NULL;

-- The apps of a user, what hangs on each of them, and what it did of late.
CREATE INDEX apps_owner ON apps (owner_id, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX sessions_app ON sessions (app_id) WHERE app_id IS NOT NULL;
CREATE INDEX grants_app ON grants (app_id);
CREATE INDEX audit_events_client ON audit_events (client_id, at) WHERE client_id <> '';

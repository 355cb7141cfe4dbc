-- Keys that are revoked, and keys that sign for others (see ADR 18).
ALTER TABLE keys ADD COLUMN revoked_at timestamptz;

-- Private keys, sealed with the master key; what is published is computed from them. `id` is the thumbprint (RFC 7638).
CREATE TABLE signing_keys (
    id text PRIMARY KEY,
    number integer GENERATED ALWAYS AS IDENTITY,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE TRIGGER keys_revoked AFTER UPDATE OF revoked_at ON keys FOR EACH STATEMENT EXECUTE FUNCTION tell_everything();

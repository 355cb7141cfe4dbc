-- Keys that are revoked, keys that sign for others, and which key the tokens of a session are made with (see ADR 18).
-- A session made before the newest revoked key was replaced has ended, by whatever statement reads it: ending ten
-- million of them is one row. Rows of the release before say 0, which is older than any key; until a key is revoked that
-- ends nothing.
ALTER TABLE keys ADD COLUMN revoked_at timestamptz;
ALTER TABLE sessions ADD COLUMN key_id integer NOT NULL DEFAULT 0;

-- Private keys, sealed with the master key; what is published is computed from them. `id` is the thumbprint (RFC 7638).
CREATE TABLE signing_keys (
    id text PRIMARY KEY,
    number integer GENERATED ALWAYS AS IDENTITY,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE TRIGGER keys_revoked AFTER UPDATE OF revoked_at ON keys FOR EACH STATEMENT EXECUTE FUNCTION tell_everything();

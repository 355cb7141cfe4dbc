-- Places for people to say where they are. A row is changed but never deleted, since profiles name it.
CREATE TABLE locations (
    id bigint PRIMARY KEY CHECK (id >= 1),
    name text NOT NULL CHECK (name <> ''),
    parent_id bigint NULL REFERENCES locations (id) CHECK (parent_id <> id)
);
CREATE INDEX locations_parent_id_idx ON locations (parent_id, id);

-- The release before knows none of these columns and leaves them as they are: each has a default, and the phone that was
-- proven is kept instead of a flag, so that a phone changed by that release does not pass for proven.
ALTER TABLE profiles
    ADD COLUMN picture text NOT NULL DEFAULT '',
    ADD COLUMN cover text NOT NULL DEFAULT '',
    ADD COLUMN location_id bigint NULL REFERENCES locations (id),
    ADD COLUMN latitude double precision NULL,
    ADD COLUMN longitude double precision NULL,
    ADD COLUMN address text NOT NULL DEFAULT '',
    ADD COLUMN verified_phone text NOT NULL DEFAULT '',
    ADD COLUMN badge boolean NOT NULL DEFAULT false;

-- Every picture that may have files. The row is there before the first file and until after the last:
-- `writing` while files are made, `used` once something points to it, `removing` when its files are to go.
-- A picture of a profile that is deleted loses its user_id, by whichever release; that makes it due at once.
CREATE TABLE pictures (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
    kind text NOT NULL CHECK (kind IN ('avatar', 'cover', 'icon')),
    user_id uuid NULL REFERENCES profiles (user_id) ON DELETE SET NULL,
    content_type text NOT NULL,
    state text NOT NULL CHECK (state IN ('writing', 'used', 'removing')),
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX pictures_user_id_idx ON pictures (user_id);
CREATE INDEX pictures_due_idx ON pictures (due_at) WHERE state <> 'used' OR (kind <> 'icon' AND user_id IS NULL);

-- The last number given out in each project. The row outlives the profiles, so no number is ever used again.
CREATE TABLE project_numbers (
    project_id uuid PRIMARY KEY,
    last_number bigint NOT NULL CHECK (last_number >= 1)
);

-- One row per account. Text is empty when unknown; a birth date and meta are null. Limits are the core's business.
-- A deleted profile leaves nothing behind: made again for the same account, it has a new number and public id.
CREATE TABLE profiles (
    user_id uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    number bigint NOT NULL CHECK (number >= 1),
    public_id text NOT NULL CHECK (public_id ~ '^[0-9a-f]{32}$'),
    first_name text NOT NULL,
    last_name text NOT NULL,
    phone text NOT NULL,
    phone_e164 text NOT NULL,
    gender text NOT NULL,
    birth_date date NULL,
    biography text NOT NULL,
    website text NOT NULL,
    relationship text NOT NULL,
    language text NOT NULL,
    meta text NULL,
    version bigint NOT NULL CHECK (version >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT profiles_number_key UNIQUE (project_id, number),
    CONSTRAINT profiles_public_id_key UNIQUE (public_id)
);

-- Forms of tokens, sessions of our own pages, users' own apps, and what dialects and people set of projects and keys.
-- Every column has a default and nothing is rewritten or scanned, so the previous release goes on beside this one.

-- A session is of one form (see gatepost.auth.v1.TokenForm). Those of pairs compute their tokens from the salt; the
-- others are found by the SHA-256 of their one random token. A session without app is of our own pages or of a dialect
-- whose clients have no credentials.
ALTER TABLE sessions
    ADD COLUMN form text NOT NULL DEFAULT 'pair',
    ADD COLUMN key_hash bytea,
    ADD COLUMN last_used_at timestamptz,
    ADD COLUMN user_agent text NOT NULL DEFAULT '',
    ADD COLUMN client_address text NOT NULL DEFAULT '',
    ALTER COLUMN app_id DROP NOT NULL,
    ALTER COLUMN code_hash DROP NOT NULL,
    ADD CONSTRAINT sessions_form CHECK (
        form IN ('pair', 'short-pair', 'single', 'session-key', 'web')
        AND (form IN ('pair', 'short-pair')) = (key_hash IS NULL)
    ) NOT VALID;

ALTER TABLE projects
    ADD COLUMN display_name text NOT NULL DEFAULT '',
    ADD COLUMN accent_color text NOT NULL DEFAULT '',
    ADD COLUMN logo_picture text NOT NULL DEFAULT '',
    ADD COLUMN status_modes jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN user_apps boolean NOT NULL DEFAULT true,
    ADD COLUMN switches text[] NOT NULL DEFAULT '{}';

-- An app goes with the account that registered it, and everything of the app with it: none runs on unowned.
ALTER TABLE apps
    ADD COLUMN description text NOT NULL DEFAULT '',
    ADD COLUMN website text NOT NULL DEFAULT '',
    ADD COLUMN icon_picture text NOT NULL DEFAULT '',
    ADD COLUMN allow_query_secret boolean NOT NULL DEFAULT false,
    ADD COLUMN status_mode text NOT NULL DEFAULT '' CHECK (status_mode IN ('', 'legacy', 'strict')),
    ADD COLUMN owner_id uuid REFERENCES accounts ON DELETE CASCADE;
ALTER TABLE app_secrets
    DROP CONSTRAINT app_secrets_app_id_fkey,
    ADD CONSTRAINT app_secrets_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps ON DELETE CASCADE NOT VALID;
ALTER TABLE sessions
    DROP CONSTRAINT sessions_app_id_fkey,
    ADD CONSTRAINT sessions_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps ON DELETE CASCADE NOT VALID;
ALTER TABLE grants
    DROP CONSTRAINT grants_app_id_fkey,
    ADD CONSTRAINT grants_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps ON DELETE CASCADE NOT VALID;

ALTER TABLE api_keys
    ADD COLUMN networks text[] NOT NULL DEFAULT '{}',
    ADD COLUMN allow_query_credentials boolean NOT NULL DEFAULT false,
    ADD COLUMN bypass_second_factor boolean NOT NULL DEFAULT false,
    ADD COLUMN status_mode text NOT NULL DEFAULT '' CHECK (status_mode IN ('', 'legacy', 'strict'));

ALTER TABLE accounts
    ADD COLUMN language text NOT NULL DEFAULT '',
    ADD COLUMN closing_at timestamptz;

-- `identity` is provider and subject as in identifiers of kind `external`, or empty.
ALTER TABLE registrations
    ADD COLUMN username text NOT NULL DEFAULT '',
    ADD COLUMN identity text NOT NULL DEFAULT '';

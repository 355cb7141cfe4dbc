-- What 0002 left for a transaction of its own, since it reads whole tables: under locks that let token checks go on.
CREATE UNIQUE INDEX sessions_key ON sessions (key_hash) WHERE key_hash IS NOT NULL;
ALTER TABLE sessions VALIDATE CONSTRAINT sessions_form;
ALTER TABLE sessions VALIDATE CONSTRAINT sessions_app_id_fkey;
ALTER TABLE app_secrets VALIDATE CONSTRAINT app_secrets_app_id_fkey;
ALTER TABLE grants VALIDATE CONSTRAINT grants_app_id_fkey;

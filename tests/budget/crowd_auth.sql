-- Users of five projects, told to PostgreSQL as fifty times as many by crowd_counted.sql. Nobody signs in as one of them.
CREATE TEMPORARY TABLE crowd AS
SELECT n, lpad(to_hex(n), 32, '0')::uuid AS id, lpad(to_hex(n % 5 + 1), 32, '0')::uuid AS project_id,
    now() - make_interval(secs => n) AS made, now() + interval '1 day' AS later
FROM generate_series(1, 2000) AS n;

INSERT INTO projects (id, name, sign_in_policy, roles, self_assignable_roles, hosts, dialects, password_min_length,
    allow_plain_pkce, access_token_seconds, refresh_token_seconds, created_at)
SELECT id, 'crowd-' || n, 'none', '{user}', '{}', '{}', '{ihopr}', 8, false, 60, 60, made FROM crowd WHERE n <= 5;

INSERT INTO accounts (id, project_id, state, role, created_at, updated_at, closing_at)
SELECT id, project_id, 'active', 'user', made, made, CASE WHEN n % 100 = 0 THEN later END FROM crowd;

INSERT INTO identifiers (project_id, kind, normalized, value, account_id, verified_at)
SELECT project_id, kind, kind || n, kind || n, id, made
FROM crowd, unnest('{email, username, external}'::text[]) AS kind;

INSERT INTO credentials (account_id, kind, hash, changed_at) SELECT id, 'password', 'none', made FROM crowd;

INSERT INTO apps (id, project_id, client_id, name, type, redirect_urls, scopes, origins, allow_plain_pkce, created_at,
    owner_id)
SELECT id, project_id, 'crowd-' || n, 'App', 'public', '{}', '{}', ARRAY['https://' || n || '.example.com'], false,
    made, id
FROM crowd;

INSERT INTO app_secrets (id, app_id, hash, hint, created_at) SELECT id, id, 'x', 'x', made FROM crowd;

INSERT INTO registrations (project_id, email_normalized, account_id, email, profile, created_at, expires_at)
SELECT project_id, 'new' || n, id, 'new' || n, '{}', made, later FROM crowd;

INSERT INTO profile_removals (account_id, due_at) SELECT id, later FROM crowd;

INSERT INTO sessions (id, account_id, app_id, scopes, salt, generation, security_version, code_hash, authenticated_at,
    created_at, rotated_at, expires_at, ends_at, form, key_hash)
SELECT gen_random_uuid(), id, CASE WHEN form <> 'web' THEN id END, '{}', 'x', 1, 1,
    CASE WHEN form <> 'web' THEN sha256((form || n)::bytea) END, made, made, made, later, later, form,
    CASE WHEN form <> 'pair' THEN sha256((form || n)::bytea) END
FROM crowd, unnest('{pair, single, web}'::text[]) AS form;

INSERT INTO grants (id, account_id, app_id, scopes, granted_at) SELECT id, id, id, '{}', made FROM crowd;

INSERT INTO outbox (id, message, created_at, due_at, failure)
SELECT id, '{}', made, later, CASE WHEN n % 10 = 0 THEN 'x' END FROM crowd;

INSERT INTO audit_events (at, action, outcome, actor, account_id, project, client_id, address, request_id)
SELECT made, 'sign-in', 'success', 'app', id, 'crowd-1', 'crowd-' || n, '', '' FROM crowd;

INSERT INTO links (hash, purpose, account_id, data, created_at, expires_at)
SELECT sha256((purpose || n)::bytea), purpose, id, jsonb_build_object('normalized', 'old' || n), made, later
FROM crowd, unnest('{verify-email, undo-email-change}'::text[]) AS purpose;

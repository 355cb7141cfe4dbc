-- The profiles of the users of crowd_auth.sql.
CREATE TEMPORARY TABLE crowd AS
SELECT n, lpad(to_hex(n), 32, '0')::uuid AS id, lpad(to_hex(n % 5 + 1), 32, '0')::uuid AS project_id,
    now() - make_interval(secs => n) AS made
FROM generate_series(1, 2000) AS n;

INSERT INTO profiles (user_id, project_id, number, public_id, first_name, last_name, phone, phone_e164, gender,
    biography, website, relationship, language, version, created_at, updated_at)
SELECT id, project_id, n, md5(n::text), 'Per', 'Son', '', '', '', '', '', '', '', 1, made, made FROM crowd;

INSERT INTO pictures (id, kind, user_id, content_type, state, due_at, created_at)
SELECT md5(n::text), 'avatar', id, 'image/png', 'used', made, made FROM crowd;

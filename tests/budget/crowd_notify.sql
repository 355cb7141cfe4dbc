-- What was sent to the users of crowd_auth.sql, and their devices.
CREATE TEMPORARY TABLE crowd AS
SELECT n, lpad(to_hex(n), 32, '0')::uuid AS id, lpad(to_hex(n % 5 + 1), 32, '0')::uuid AS project_id,
    now() - make_interval(secs => n) AS made, now() + interval '1 day' AS later
FROM generate_series(1, 2000) AS n;

INSERT INTO messages (id, channel, address, template, project, language, subject, body_text, body_html, code, link,
    status, message_id, created_at, next_attempt_at)
SELECT id, 'mail', 'user' || n || '@example.com', 'otp', 'crowd-1', 'en', '', '', '', '', '',
    CASE WHEN n % 50 = 0 THEN 'dead' WHEN n % 20 = 0 THEN 'pending' ELSE 'sent' END, 'x', made, later
FROM crowd;

INSERT INTO devices (id, project_id, user_id, kind, token, token_hash, registered_at)
SELECT id, project_id, id, 'fcm', n::text, sha256(n::text::bytea), made FROM crowd;

INSERT INTO push_outcomes (message_id, device_id, outcome, recorded_at) SELECT id, id, 'sent', made FROM crowd;

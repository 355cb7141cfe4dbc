-- Which key the tokens of a session are made with. A session made before the newest revoked key was replaced has ended,
-- by whatever statement reads it: ending ten million of them is one row. Rows of the release before say 0, which is older
-- than any key; until a key is revoked that ends nothing.
ALTER TABLE sessions ADD COLUMN key_id integer NOT NULL DEFAULT 0;

-- Tells who listens what has changed, as `account:UUID`, `app:CLIENT_ID`, `project:UUID`, or `*` for everything, once it
-- is committed: gateways keep answers to AuthenticateRequest and forget those (see runtime.changes and ADR 13). What is
-- in such an answer is told when it changes, by whatever changes it. Passwords change with the account's row.

-- A commit that tells something waits for others that do. So what shows nowhere tells nothing: neither that tokens were
-- rotated nor that a session was used, for which the conditions below are all that is run, nor a new account.
CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS
$$
DECLARE
    changed text;
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'accounts' THEN changed := 'account:' || OLD.id;
        WHEN 'apps' THEN changed := 'app:' || OLD.client_id;
        WHEN 'projects' THEN changed := 'project:' || OLD.id;
        ELSE changed := 'account:' || OLD.account_id;
    END CASE;
    PERFORM pg_notify('gatepost_changes', changed);
    RETURN NULL;
END $$;

CREATE FUNCTION tell_everything() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('gatepost_changes', '*'); RETURN NULL; END $$;

-- Nobody knows an account whose row is of this very transaction. Whoever loads thousands at once need not name them.
CREATE FUNCTION tell_added() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM added LIMIT 1001) AS few) > 1000 THEN
        PERFORM pg_notify('gatepost_changes', '*');
    ELSE
        PERFORM pg_notify('gatepost_changes', 'account:' || a.id) FROM added JOIN accounts a ON a.id = added.account_id
        WHERE a.xmin <> pg_current_xact_id()::xid;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER accounts_change AFTER UPDATE OR DELETE ON accounts
FOR EACH ROW EXECUTE FUNCTION tell_change();
CREATE TRIGGER identifiers_change AFTER UPDATE OR DELETE ON identifiers
FOR EACH ROW EXECUTE FUNCTION tell_change();
CREATE TRIGGER identifiers_added AFTER INSERT ON identifiers
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tell_added();
CREATE TRIGGER apps_change AFTER UPDATE OR DELETE ON apps
FOR EACH ROW EXECUTE FUNCTION tell_change();
CREATE TRIGGER projects_change AFTER UPDATE OR DELETE ON projects
FOR EACH ROW EXECUTE FUNCTION tell_change();
CREATE TRIGGER sessions_change AFTER UPDATE ON sessions
FOR EACH ROW WHEN (
    OLD.revoked_at IS DISTINCT FROM NEW.revoked_at
    OR OLD.security_version <> NEW.security_version
    OR OLD.authenticated_at <> NEW.authenticated_at
    OR OLD.scopes <> NEW.scopes
    OR OLD.salt <> NEW.salt
    OR OLD.key_hash IS DISTINCT FROM NEW.key_hash
    OR OLD.form <> NEW.form
    OR OLD.app_id IS DISTINCT FROM NEW.app_id
    OR OLD.account_id <> NEW.account_id
    OR OLD.expires_at > NEW.expires_at
) EXECUTE FUNCTION tell_change();
-- Those that go with their account or app are told by it: a hundred thousand of them would take a second longer.
CREATE TRIGGER sessions_end AFTER DELETE ON sessions
FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND OLD.revoked_at IS NULL AND OLD.expires_at > now())
EXECUTE FUNCTION tell_change();

CREATE TRIGGER accounts_truncate AFTER TRUNCATE ON accounts FOR EACH STATEMENT EXECUTE FUNCTION tell_everything();
CREATE TRIGGER sessions_truncate AFTER TRUNCATE ON sessions FOR EACH STATEMENT EXECUTE FUNCTION tell_everything();

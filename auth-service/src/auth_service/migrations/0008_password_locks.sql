-- When a password was refused too often in a row to be tried any more by strangers; a new password is not locked.
-- Kept here besides the count in Valkey, so that losing that opens no locked account.
ALTER TABLE credentials ADD COLUMN locked_at timestamptz;

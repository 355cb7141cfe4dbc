-- SMS and push beside mail. A push message for nobody is `skipped`. NOT VALID takes the lock for a moment only; rows taken
-- before satisfy the narrower checks these replace.
ALTER TABLE messages DROP CONSTRAINT messages_channel_check;
ALTER TABLE messages ADD CONSTRAINT messages_channel_check CHECK (channel IN ('mail', 'sms', 'push')) NOT VALID;
ALTER TABLE messages DROP CONSTRAINT messages_status_check;
ALTER TABLE messages ADD CONSTRAINT messages_status_check
    CHECK (status IN ('pending', 'sent', 'dead', 'skipped')) NOT VALID;

-- Each channel is delivered by a loop of its own.
CREATE INDEX messages_due_by_channel ON messages (channel, next_attempt_at) WHERE status = 'pending';
-- What retention looks for, beside `messages_dead`.
CREATE INDEX messages_skipped ON messages (created_at) WHERE status = 'skipped';

-- Devices that are done with a push message, so that one taken up again after a crash goes only to the others. `gone`: the
-- push service no longer knows the device, and it was forgotten.
CREATE TABLE push_outcomes (
    message_id uuid NOT NULL REFERENCES messages ON DELETE CASCADE,
    device_id uuid NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('sent', 'gone')),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (message_id, device_id)
);

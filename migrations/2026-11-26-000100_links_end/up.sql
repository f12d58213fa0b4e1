-- When download addresses end before their time: with the suspension of their system, and with a key that was replaced.

ALTER TABLE systems ADD COLUMN suspended_at timestamptz;
COMMENT ON COLUMN systems.suspended_at IS 'When it was last suspended; NULL: never. Download addresses made before then have ended.';

ALTER TABLE signing_keys ADD COLUMN previous_key bytea CHECK (octet_length(previous_key) = 32);
COMMENT ON TABLE signing_keys IS 'Secrets that addresses are signed with. Copy the old key to previous_key when you replace it, or the addresses made with it end at once.';
COMMENT ON COLUMN signing_keys.previous_key IS 'The key before this one. Addresses signed with it hold until their time is over, BACKUP_PRESIGN_TTL after created_at at the latest. NULL: none do.';
COMMENT ON COLUMN signing_keys.created_at IS 'When the key was made, and replaced the previous one.';

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'support') THEN
        GRANT SELECT (suspended_at) ON systems TO support;
    END IF;
END
$$;

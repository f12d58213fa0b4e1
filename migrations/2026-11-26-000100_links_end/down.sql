ALTER TABLE signing_keys DROP COLUMN previous_key;
COMMENT ON TABLE signing_keys IS 'Secrets that addresses are signed with. A new key makes the old addresses invalid within a minute.';
COMMENT ON COLUMN signing_keys.created_at IS 'When the key was made.';
ALTER TABLE systems DROP COLUMN suspended_at;

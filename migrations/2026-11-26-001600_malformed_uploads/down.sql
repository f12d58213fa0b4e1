COMMENT ON COLUMN support_systems.last_refusal_reason IS 'Why: rate, size, quota, digest or timeout.';

-- Uploads whose framing is broken are refused, too: the reasons in `backup_events` and in the view have one more value.
COMMENT ON COLUMN support_systems.last_refusal_reason IS 'Why: rate, size, quota, digest, timeout or malformed.';

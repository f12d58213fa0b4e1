-- Uploads whose framing is broken, and those that the client's own tools damaged, are refused, too: the reasons in
-- `backup_events` and in the view have two more values.
COMMENT ON COLUMN support_systems.last_refusal_reason IS
    'Why: rate, size, quota, digest, damaged (by the client, on its way), timeout or malformed.';

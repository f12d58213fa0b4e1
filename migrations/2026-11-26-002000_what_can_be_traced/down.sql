CREATE OR REPLACE VIEW support_recent_events AS
SELECT e.at, e.kind, e.org_id, s.system_key, s.name AS system_name, e.system_id, e.backup_id, e.actor,
    host(e.remote_addr) AS remote_addr, e.detail
FROM backup_events e
LEFT JOIN systems s ON s.id = e.system_id
WHERE e.at > statement_timestamp() - interval '7 days'
ORDER BY e.at DESC;
COMMENT ON COLUMN support_recent_events.system_key IS 'User name of the system; null if it is gone.';
COMMENT ON COLUMN support_recent_events.system_name IS 'Name of the system; null if it is gone.';

-- A column can't be taken out of a view that stays.
DROP VIEW support_systems;
CREATE VIEW support_systems AS
SELECT
    s.org_id,
    o.name AS org_name,
    s.id AS system_id,
    s.system_key,
    s.name AS system_name,
    kept.backups_kept,
    kept.bytes_kept,
    kept.last_backup_at,
    statement_timestamp() - kept.last_backup_at AS last_backup_age,
    EXISTS (
        SELECT 1 FROM backup_requests r
        WHERE r.system_id = s.id AND r.state IN ('pending', 'seen') AND r.expires_at > statement_timestamp()
    ) AS pending_request,
    refusal.at AS last_refusal_at,
    refusal.reason AS last_refusal_reason,
    CASE
        WHEN kept.last_backup_at IS NULL THEN 'never'
        WHEN statement_timestamp() - greatest(kept.last_backup_at, s.unchanged_at) <= s.backup_period THEN 'fresh'
        ELSE 'late'
    END AS freshness,
    s.unchanged_at AS last_unchanged_at
FROM systems s
JOIN organizations o ON o.id = s.org_id
CROSS JOIN LATERAL (
    SELECT count(*) AS backups_kept, coalesce(sum(b.size_bytes), 0)::bigint AS bytes_kept,
        max(b.uploaded_at) AS last_backup_at
    FROM backups b WHERE b.system_id = s.id AND b.state = 'stored'
) kept
LEFT JOIN LATERAL (
    SELECT e.at, e.detail ->> 'reason' AS reason
    FROM backup_events e WHERE e.system_id = s.id AND e.kind = 'refused'
    ORDER BY e.at DESC LIMIT 1
) refusal ON true;
COMMENT ON VIEW support_systems IS 'One line per system: what it has, how old the newest is, and what it was last refused for.';
COMMENT ON COLUMN support_systems.org_id IS 'The organization.';
COMMENT ON COLUMN support_systems.org_name IS 'Its name.';
COMMENT ON COLUMN support_systems.system_id IS 'The system.';
COMMENT ON COLUMN support_systems.system_key IS 'Its user name.';
COMMENT ON COLUMN support_systems.system_name IS 'Its name.';
COMMENT ON COLUMN support_systems.backups_kept IS 'How many backups can be restored.';
COMMENT ON COLUMN support_systems.bytes_kept IS 'How many bytes they take.';
COMMENT ON COLUMN support_systems.last_backup_at IS 'When the newest was stored.';
COMMENT ON COLUMN support_systems.last_backup_age IS 'How long ago that is.';
COMMENT ON COLUMN support_systems.pending_request IS 'Whether a requested backup is still awaited.';
COMMENT ON COLUMN support_systems.last_refusal_at IS 'When an upload was last refused.';
COMMENT ON COLUMN support_systems.last_refusal_reason IS
    'Why: rate, size, quota, digest, damaged (by the client, on its way), timeout or malformed.';
COMMENT ON COLUMN support_systems.freshness IS 'never: no backup; fresh: within systems.backup_period the newest was stored, or the appliance said that nothing has changed; late: neither.';
COMMENT ON COLUMN support_systems.last_unchanged_at IS 'When the appliance last said that its configuration has not changed.';
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'support') THEN
        GRANT SELECT ON support_systems TO support;
    END IF;
END
$$;

COMMENT ON COLUMN backup_events.at IS 'When it happened.';
COMMENT ON COLUMN backup_events.kind IS 'uploaded, downloaded, deleted, pruned, over_size_cap, refused, requested, request_cancelled, request_expired, system_added, secret_rotated, suspended, resumed, destroyed ...';
COMMENT ON COLUMN backup_events.actor IS 'By whom: system (the appliance), operator (command line), service, or the subject of a token.';
COMMENT ON COLUMN backup_events.detail IS 'Facts of that kind of event, such as a reason or a size in bytes.';

DROP INDEX backup_events_credential_refused;
DROP TABLE destroyed_systems;

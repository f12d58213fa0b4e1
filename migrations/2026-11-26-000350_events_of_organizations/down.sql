CREATE OR REPLACE VIEW support_recent_events AS
SELECT e.at, e.kind, e.org_id, s.system_key, s.name AS system_name, e.system_id, e.backup_id, e.actor,
    host(e.remote_addr) AS remote_addr, e.detail
FROM backup_events e
LEFT JOIN systems s ON s.id = e.system_id
WHERE e.at > clock_timestamp() - interval '7 days'
ORDER BY e.at DESC;

CREATE OR REPLACE VIEW support_systems AS
SELECT
    s.org_id,
    o.name AS org_name,
    s.id AS system_id,
    s.system_key,
    s.name AS system_name,
    kept.backups_kept,
    kept.bytes_kept,
    kept.last_backup_at,
    clock_timestamp() - kept.last_backup_at AS last_backup_age,
    EXISTS (
        SELECT 1 FROM backup_requests r
        WHERE r.system_id = s.id AND r.state IN ('pending', 'seen') AND r.expires_at > clock_timestamp()
    ) AS pending_request,
    refusal.at AS last_refusal_at,
    refusal.reason AS last_refusal_reason,
    CASE
        WHEN kept.last_backup_at IS NULL THEN 'never'
        WHEN clock_timestamp() - greatest(kept.last_backup_at, s.unchanged_at) <= s.backup_period THEN 'fresh'
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

DROP INDEX backup_events_of_org;

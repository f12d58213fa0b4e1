-- What the life of a requested backup needs (src/db/requests.rs), and a place for "my configuration has not changed".

ALTER TABLE backup_requests
    ADD COLUMN seen_at timestamptz,
    ADD COLUMN ended_at timestamptz,
    ADD COLUMN backup_extension text
        CHECK (backup_extension IN ('tar.gz', 'tar.xz', 'tar.bz2', 'tar.zst', 'gpg', 'bin')),
    ADD CONSTRAINT backup_requests_requested_by CHECK (requested_by <> ''),
    ADD CONSTRAINT backup_requests_answer CHECK (state = 'fulfilled' OR backup_id IS NULL),
    ADD CONSTRAINT backup_requests_ended CHECK (ended_at IS NULL OR state IN ('fulfilled', 'expired', 'cancelled'));
COMMENT ON COLUMN backup_requests.requested_at IS 'When it was asked for; later than the admission of every upload that was under way then.';
COMMENT ON COLUMN backup_requests.expires_at IS 'After this it is expired, whatever state says, and no longer shown to the appliance. Asking again puts it off.';
COMMENT ON COLUMN backup_requests.seen_at IS 'When it was first given to the appliance.';
COMMENT ON COLUMN backup_requests.ended_at IS 'When it was fulfilled, cancelled, or found to have expired.';
COMMENT ON COLUMN backup_requests.backup_extension IS 'Extension of the id that the API shows of that backup, which may have been pruned since.';

DROP INDEX backup_requests_of_system;
-- Those that are awaited are few, however many there have been.
CREATE INDEX backup_requests_open ON backup_requests (system_id) WHERE state IN ('pending', 'seen');
CREATE INDEX backup_requests_to_expire ON backup_requests (expires_at) WHERE state IN ('pending', 'seen');
CREATE INDEX backup_requests_of_system ON backup_requests (system_id, requested_at DESC);

ALTER TABLE systems ADD COLUMN unchanged_at timestamptz;
COMMENT ON COLUMN systems.unchanged_at IS 'When the appliance last said that its configuration has not changed (to the minute).';

COMMENT ON COLUMN backup_events.kind IS 'uploaded, downloaded, deleted, pruned, over_size_cap, refused, requested, request_cancelled, request_expired, system_added, secret_rotated, suspended, resumed, destroyed ...';

-- As before, but for freshness and the new last column.
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
COMMENT ON COLUMN support_systems.freshness IS 'never: no backup; fresh: within systems.backup_period the newest was stored, or the appliance said that nothing has changed; late: neither.';
COMMENT ON COLUMN support_systems.last_unchanged_at IS 'When the appliance last said that its configuration has not changed.';

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'support') THEN
        GRANT SELECT (unchanged_at) ON systems TO support;
    END IF;
END
$$;

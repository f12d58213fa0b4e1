-- What the history tells: the names of systems that are gone, and refused credentials.

CREATE TABLE destroyed_systems (
    id uuid PRIMARY KEY,
    system_key text NOT NULL,
    org_id text NOT NULL,
    name text NOT NULL,
    destroyed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- A key may be given to another system afterwards, so it is not unique here.
CREATE INDEX destroyed_systems_of_key ON destroyed_systems (system_key);
COMMENT ON TABLE destroyed_systems IS 'The names of destroyed systems, so that the history can still be read. A system is in this table or in systems, never in both.';
COMMENT ON COLUMN destroyed_systems.id IS 'Its id, as in backup_events.system_id.';
COMMENT ON COLUMN destroyed_systems.system_key IS 'Its user name. Another system may have it now.';
COMMENT ON COLUMN destroyed_systems.org_id IS 'Its organization.';
COMMENT ON COLUMN destroyed_systems.name IS 'Its name.';
COMMENT ON COLUMN destroyed_systems.destroyed_at IS 'When the last of it was erased.';

-- One row for each system and hour, which all processes update. The existing rows are read once to build the index, for which
-- uploads wait. On a long history it can be built before the upgrade, CONCURRENTLY (docs/operations.md).
CREATE UNIQUE INDEX IF NOT EXISTS backup_events_credential_refused
    ON backup_events (system_id, date_trunc('hour', at AT TIME ZONE 'UTC')) WHERE kind = 'credential_refused';

COMMENT ON COLUMN backup_events.at IS 'When it happened; of credential_refused: when it last happened within that hour.';
COMMENT ON COLUMN backup_events.kind IS 'Of backups: uploaded, failed, refused, over_size_cap, downloaded, deleted, pruned, orphan_deleted; of backup requests: requested, request_cancelled, request_expired; of organizations: org_added, org_renamed, org_deleted, quota_set; of systems: system_added, secret_rotated, suspended, resumed, destroyed, credential_refused. docs/operations.md explains each.';
COMMENT ON COLUMN backup_events.actor IS 'By whom: system (the appliance), operator (command line), link (whoever had a download link), client (not authenticated), service, or the subject of a token.';
COMMENT ON COLUMN backup_events.detail IS 'Facts of that kind of event, such as a reason, a file name or a size in bytes.';

-- As before, but for the systems that are gone. The parts of the union share no row, so that a name is looked up by index.
CREATE OR REPLACE VIEW support_recent_events AS
SELECT e.at, e.kind, e.org_id, s.system_key, s.name AS system_name, e.system_id, e.backup_id, e.actor,
    host(e.remote_addr) AS remote_addr, e.detail
FROM backup_events e
LEFT JOIN (
    SELECT id, system_key, name FROM systems
    UNION ALL SELECT id, system_key, name FROM destroyed_systems
) s ON s.id = e.system_id
WHERE e.at > statement_timestamp() - interval '7 days'
ORDER BY e.at DESC;
COMMENT ON COLUMN support_recent_events.system_key IS 'User name of the system, also after it was destroyed.';
COMMENT ON COLUMN support_recent_events.system_name IS 'Name of the system, also after it was destroyed.';

-- As before, but for the new last column.
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
    s.unchanged_at AS last_unchanged_at,
    (
        SELECT max(e.at) FROM backup_events e WHERE e.system_id = s.id AND e.kind = 'credential_refused'
    ) AS last_credential_refusal_at
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
COMMENT ON COLUMN support_systems.last_credential_refusal_at IS 'When its credential was last refused: a wrong secret, or the right one while it was suspended.';

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'support') THEN
        GRANT SELECT ON destroyed_systems TO support;
    END IF;
END
$$;

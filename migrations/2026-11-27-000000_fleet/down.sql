DROP VIEW support_systems;
DROP FUNCTION system_status(systems, timestamptz);
DROP FUNCTION utc_minute(timestamptz);
DROP TRIGGER backups_facts_update ON backups;
DROP TRIGGER backups_facts_change ON backups;
DROP TRIGGER backups_facts_delete ON backups;
DROP TRIGGER backups_facts_insert ON backups;
DROP FUNCTION refresh_facts_of_row();
DROP FUNCTION refresh_facts(uuid);
DROP VIEW facts_of_backups;
DROP TRIGGER organizations_periods ON organizations;
DROP FUNCTION pass_on_periods();
DROP TRIGGER organizations_periods_pending ON organizations;
DROP FUNCTION note_pending_periods();
DROP TRIGGER systems_secret ON systems;
DROP FUNCTION end_previous_secret();
DROP TRIGGER systems_periods ON systems;
DROP FUNCTION set_periods_in_force();

UPDATE systems SET backup_period = backup_period_in_force WHERE backup_period IS NULL;
CREATE INDEX systems_org_id ON systems (org_id);
ALTER TABLE systems
    DROP COLUMN standing,
    DROP COLUMN protected_until,
    DROP COLUMN contact_period,
    DROP COLUMN backup_period_in_force,
    DROP COLUMN contact_period_in_force,
    DROP COLUMN state_since,
    DROP COLUMN state_by,
    DROP COLUMN previous_secret_sha256,
    DROP COLUMN previous_secret_until,
    DROP COLUMN last_seen_at,
    DROP COLUMN last_seen_from,
    DROP COLUMN last_backup_id,
    DROP COLUMN last_backup_at,
    DROP COLUMN backups_kept,
    DROP COLUMN bytes_kept,
    DROP COLUMN last_backup_damage,
    DROP COLUMN whole_backup_id,
    DROP COLUMN whole_backup_at,
    DROP COLUMN refused_at,
    DROP COLUMN refused_reason,
    DROP COLUMN refused_since,
    DROP COLUMN refused_upload_at,
    DROP COLUMN last_refusal_at,
    DROP COLUMN last_refusal_reason,
    DROP COLUMN last_credential_refusal_at,
    ALTER COLUMN backup_period SET DEFAULT '26 hours',
    ALTER COLUMN backup_period SET NOT NULL;
COMMENT ON COLUMN systems.backup_period IS 'A newest backup older than this makes the system late in support_systems.';

ALTER TABLE service_defaults
    DROP COLUMN backup_period,
    DROP COLUMN backup_period_applied,
    DROP COLUMN facts_missing;

DROP FUNCTION org_and_above(text);
DROP FUNCTION org_and_below(text);
ALTER TABLE organizations
    DROP COLUMN parent_id,
    DROP COLUMN backup_period,
    DROP COLUMN contact_period,
    DROP COLUMN periods_pending;

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
COMMENT ON COLUMN support_systems.last_credential_refusal_at IS 'When its credential was last refused: a wrong secret, or the right one while it was suspended.';

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'support') THEN
        GRANT SELECT ON support_systems TO support;
    END IF;
END
$$;

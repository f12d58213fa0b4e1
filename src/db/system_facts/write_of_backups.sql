UPDATE systems AS s SET
    backups_kept = f.backups_kept,
    bytes_kept = f.bytes_kept,
    last_backup_id = f.last_backup_id,
    last_backup_at = f.last_backup_at,
    last_backup_damage = f.last_backup_damage,
    whole_backup_id = f.whole_backup_id,
    whole_backup_at = f.whole_backup_at,
    last_seen_at = coalesce(s.last_seen_at, greatest(f.last_backup_at, s.unchanged_at))
FROM jsonb_populate_recordset(NULL::facts_of_backups, $1::jsonb) AS f
-- The system is locked. If its rows have changed since they were read, it has its facts, or has no backup any more.
WHERE s.id = f.system_id AND s.last_backup_id IS NULL
    AND EXISTS (SELECT FROM backups AS b WHERE b.id = f.last_backup_id AND b.state = 'stored')

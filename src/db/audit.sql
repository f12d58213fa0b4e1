-- One statement, so it sees one moment. The backups are added up once, for each system; the organizations' sums follow from that.
WITH kept AS MATERIALIZED (
    SELECT b.system_id, b.org_id,
        count(*) FILTER (WHERE b.state = 'stored') AS backups,
        coalesce(sum(b.size_bytes) FILTER (WHERE b.state = 'stored'), 0) AS stored,
        coalesce(sum(b.reserved_bytes) FILTER (WHERE b.state = 'receiving'), 0) AS reserved,
        -- As in the view facts_of_backups, for the backups of one organization.
        max(b.seq) FILTER (WHERE b.state = 'stored') AS newest,
        max(b.seq) FILTER (WHERE b.state = 'stored' AND b.damage IS NULL) AS newest_whole,
        max(b.admitted_at) FILTER (WHERE b.state = 'stored') AS last_admitted_at
    FROM backups b WHERE b.state <> 'retired' GROUP BY b.system_id, b.org_id
),
sums AS (
    SELECT o.id AS org_id, coalesce(sum(k.stored), 0) AS stored, coalesce(sum(k.reserved), 0) AS reserved
    FROM organizations o LEFT JOIN kept k ON k.org_id = o.id GROUP BY o.id
),
pledged AS (
    SELECT pledged_to AS upload, system_id, sum(size_bytes) AS bytes
    FROM backups WHERE state = 'stored' AND pledged_to IS NOT NULL GROUP BY 1, 2
),
facts AS (
    SELECT s.*, coalesce(k.backups, 0) AS rows, coalesce(k.stored, 0) AS sum,
        b.id AS newest_id, b.uploaded_at AS newest_at, b.damage AS newest_damage, k.last_admitted_at,
        w.id AS newest_whole_id, w.uploaded_at AS newest_whole_at,
        -- While a new default, or the period of an organization, is passed on, some systems have the old one and some the new one.
        coalesce(s.backup_period, CASE WHEN o.periods_pending THEN s.backup_period_in_force ELSE o.backup_period END,
            CASE WHEN d.backup_period = d.backup_period_applied THEN d.backup_period ELSE s.backup_period_in_force END) AS period,
        coalesce(s.contact_period, CASE WHEN o.periods_pending THEN s.contact_period_in_force ELSE o.contact_period END) AS contact
    FROM systems s
    JOIN organizations o ON o.id = s.org_id
    CROSS JOIN service_defaults d
    LEFT JOIN kept k ON k.system_id = s.id AND k.org_id = s.org_id
    LEFT JOIN backups b ON b.system_id = s.id AND b.seq = k.newest AND b.state = 'stored'
    LEFT JOIN backups w ON w.system_id = s.id AND w.seq = k.newest_whole AND w.state = 'stored'
)
SELECT s.org_id, 'stored_bytes' AS subject,
    format('org_usage says %s, the stored backups sum up to %s',
        coalesce(u.stored_bytes::text, 'nothing'), s.stored) AS problem
FROM sums s LEFT JOIN org_usage u ON u.org_id = s.org_id
WHERE u.stored_bytes IS DISTINCT FROM s.stored
UNION ALL
SELECT s.org_id, 'reserved_bytes',
    format('org_usage says %s, the uploads under way hold %s',
        coalesce(u.reserved_bytes::text, 'nothing'), s.reserved)
FROM sums s LEFT JOIN org_usage u ON u.org_id = s.org_id
WHERE u.reserved_bytes IS DISTINCT FROM s.reserved
UNION ALL
SELECT b.org_id, 'backup ' || b.id,
    format('it holds %s bytes; it wants %s and has %s pledged', b.reserved_bytes, b.want_bytes, coalesce(p.bytes, 0))
FROM backups b LEFT JOIN pledged p ON p.upload = b.id AND p.system_id = b.system_id
WHERE b.state = 'receiving' AND b.reserved_bytes <> greatest(0, b.want_bytes - coalesce(p.bytes, 0))
UNION ALL
SELECT b.org_id, 'backup ' || b.id, 'it is pledged to an upload that is not under way in its system'
FROM backups b
WHERE b.state = 'stored' AND b.pledged_to IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM backups u WHERE u.id = b.pledged_to AND u.state = 'receiving' AND u.system_id = b.system_id)
UNION ALL
SELECT b.org_id, 'backup ' || b.id, format('it belongs to %s, its system to %s', b.org_id, s.org_id)
FROM kept k JOIN systems s ON s.id = k.system_id AND s.org_id <> k.org_id
JOIN backups b ON b.system_id = k.system_id AND b.org_id = k.org_id AND b.state <> 'retired'
UNION ALL
SELECT f.org_id, 'system ' || f.id, format('%s is %s, the rows say %s', fact.name, coalesce(fact.found, 'null'), coalesce(fact.expected, 'null'))
FROM facts f CROSS JOIN LATERAL (VALUES
    ('backups_kept', f.backups_kept::text, f.rows::text),
    ('bytes_kept', f.bytes_kept::text, f.sum::text),
    ('last_backup_id', f.last_backup_id::text, f.newest_id::text),
    ('last_backup_at', f.last_backup_at::text, f.newest_at::text),
    ('last_backup_damage', f.last_backup_damage, f.newest_damage),
    ('whole_backup_id', f.whole_backup_id::text, f.newest_whole_id::text),
    ('whole_backup_at', f.whole_backup_at::text, f.newest_whole_at::text),
    ('backup_period_in_force', f.backup_period_in_force::text, f.period::text),
    ('contact_period_in_force', f.contact_period_in_force::text, f.contact::text)
) AS fact (name, found, expected)
WHERE (f.backups_kept, f.bytes_kept, f.last_backup_id, f.last_backup_at, f.last_backup_damage, f.whole_backup_id, f.whole_backup_at,
        f.backup_period_in_force, f.contact_period_in_force)
    IS DISTINCT FROM (f.rows, f.sum, f.newest_id, f.newest_at, f.newest_damage, f.newest_whole_id, f.newest_whole_at,
        f.period, f.contact)
    AND fact.found IS DISTINCT FROM fact.expected
UNION ALL
SELECT f.org_id, 'system ' || f.id,
    format('refused_at is %s (%s), and a backup is stored that was sent after it', f.refused_at, f.refused_reason)
FROM facts f
WHERE f.refused_upload_at < f.last_admitted_at
ORDER BY 1, 2

WITH pledged AS (
    SELECT pledged_to AS upload, system_id, sum(size_bytes) AS bytes
    FROM backups WHERE state = 'stored' AND pledged_to IS NOT NULL GROUP BY 1, 2
),
sums AS (
    SELECT o.id AS org_id,
        coalesce(sum(b.size_bytes) FILTER (WHERE b.state = 'stored'), 0) AS stored,
        coalesce(sum(b.reserved_bytes) FILTER (WHERE b.state = 'receiving'), 0) AS reserved
    FROM organizations o LEFT JOIN backups b ON b.org_id = o.id GROUP BY o.id
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
FROM backups b JOIN systems s ON s.id = b.system_id
WHERE b.org_id <> s.org_id AND b.state <> 'retired'
ORDER BY 1, 2

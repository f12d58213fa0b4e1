-- As event_list.sql, of some organizations: each one's newest events are read by index, and the newest of all are the page.
SELECT e.id, e.at, e.kind, e.org_id, e.system_id, s.system_key, s.name AS system_name, e.backup_id, e.actor,
    host(e.remote_addr) AS remote_addr, e.detail
FROM (
    SELECT newest.* FROM unnest($3) AS o (org_id) CROSS JOIN LATERAL (
        SELECT * FROM backup_events AS e
        WHERE e.org_id = o.org_id
            AND e.at >= $1
            AND ($2 IS NULL OR e.system_id = ANY($2))
            AND ($4 IS NULL OR e.kind = $4)
            AND ($5 IS NULL OR (e.at <= $5 AND (e.at, e.id) < ($5, $6)))
        ORDER BY e.at DESC, e.id DESC LIMIT $7
    ) AS newest
    ORDER BY newest.at DESC, newest.id DESC LIMIT $7
) AS e
LEFT JOIN (
    SELECT id, system_key, name FROM systems
    UNION ALL SELECT id, system_key, name FROM destroyed_systems
) AS s ON s.id = e.system_id
ORDER BY e.at DESC, e.id DESC

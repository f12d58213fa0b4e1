-- $1: from when on; $2: of these systems; $3: of these organizations; $4: of this kind; $5, $6: after the event of this time and
-- id; $7: how many. The names are looked up for the events of the page alone.
SELECT e.id, e.at, e.kind, e.org_id, e.system_id, s.system_key, s.name AS system_name, e.backup_id, e.actor,
    host(e.remote_addr) AS remote_addr, e.detail
FROM (
    SELECT * FROM backup_events AS e
    WHERE e.at >= $1
        AND ($2 IS NULL OR e.system_id = ANY($2))
        AND ($3 IS NULL OR e.org_id = ANY($3))
        AND ($4 IS NULL OR e.kind = $4)
        -- The first condition is one for the index; the second one orders events of the same moment.
        AND ($5 IS NULL OR (e.at <= $5 AND (e.at, e.id) < ($5, $6)))
    ORDER BY e.at DESC, e.id DESC LIMIT $7
) AS e
LEFT JOIN (
    SELECT id, system_key, name FROM systems
    UNION ALL SELECT id, system_key, name FROM destroyed_systems
) AS s ON s.id = e.system_id
ORDER BY e.at DESC, e.id DESC

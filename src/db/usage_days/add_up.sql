-- $1: the day; $2: whether bytes and systems are measured, as they are at this moment.
WITH counted AS (
    SELECT org_id,
        count(*) FILTER (WHERE kind = 'uploaded') AS uploads,
        count(*) FILTER (WHERE kind = 'refused') AS refusals,
        count(*) FILTER (WHERE kind = 'failed') AS failures,
        count(*) FILTER (WHERE kind = 'downloaded') AS downloads,
        coalesce(sum((detail ->> 'size')::bigint) FILTER (WHERE kind = 'uploaded'), 0)::bigint AS bytes_in
    FROM backup_events
    WHERE at >= $1::timestamp AT TIME ZONE 'UTC'
        AND at < ($1 + 1)::timestamp AT TIME ZONE 'UTC'
        AND kind IN ('uploaded', 'refused', 'failed', 'downloaded')
    GROUP BY org_id
), measured AS (
    SELECT s.org_id, count(*) AS systems,
        count(*) FILTER (WHERE now.status = 'suspended') AS suspended,
        count(*) FILTER (WHERE now.status = 'damaged') AS damaged,
        count(*) FILTER (WHERE now.status = 'refused') AS refused,
        count(*) FILTER (WHERE now.status = 'never') AS never,
        count(*) FILTER (WHERE now.status = 'silent') AS silent,
        count(*) FILTER (WHERE now.status = 'late') AS late,
        count(*) FILTER (WHERE now.status = 'fresh') AS fresh
    FROM systems AS s CROSS JOIN LATERAL system_status(s, statement_timestamp()) AS now
    WHERE $2
    GROUP BY s.org_id
), orgs AS (
    SELECT id AS org_id FROM organizations
    -- One that is gone may have had uploads on that day.
    UNION SELECT org_id FROM counted
)
INSERT INTO usage_days AS u (day, org_id, uploads, refusals, failures, downloads, bytes_in, bytes_kept, systems, suspended, damaged,
    refused, never, silent, late, fresh)
SELECT $1, orgs.org_id, coalesce(c.uploads, 0), coalesce(c.refusals, 0), coalesce(c.failures, 0), coalesce(c.downloads, 0),
    coalesce(c.bytes_in, 0), now.bytes_kept, now.systems, now.suspended, now.damaged, now.refused, now.never, now.silent,
    now.late, now.fresh
FROM orgs
LEFT JOIN counted AS c ON c.org_id = orgs.org_id
LEFT JOIN (
    SELECT t.org_id, t.stored_bytes AS bytes_kept, coalesce(m.systems, 0) AS systems, coalesce(m.suspended, 0) AS suspended,
        coalesce(m.damaged, 0) AS damaged, coalesce(m.refused, 0) AS refused, coalesce(m.never, 0) AS never,
        coalesce(m.silent, 0) AS silent, coalesce(m.late, 0) AS late, coalesce(m.fresh, 0) AS fresh
    FROM org_usage AS t LEFT JOIN measured AS m ON m.org_id = t.org_id
    WHERE $2
) AS now ON now.org_id = orgs.org_id
ON CONFLICT (day, org_id) DO UPDATE SET
    -- Again from the events. What was measured stays.
    uploads = excluded.uploads, refusals = excluded.refusals, failures = excluded.failures, downloads = excluded.downloads,
    bytes_in = excluded.bytes_in

-- $1, $2: the first and the last day; $3: only these organizations, or null: all. One row for each day.
WITH summed AS (
    SELECT day, sum(uploads) AS uploads, sum(refusals) AS refusals, sum(failures) AS failures, sum(downloads) AS downloads,
        sum(bytes_in) AS bytes_in, sum(bytes_kept) AS bytes_kept, sum(systems) AS systems, sum(suspended) AS suspended,
        sum(damaged) AS damaged, sum(refused) AS refused, sum(never) AS never, sum(silent) AS silent, sum(late) AS late,
        sum(fresh) AS fresh
    FROM usage_days
    WHERE day BETWEEN $1 AND $2 AND ($3 IS NULL OR org_id = ANY($3))
    GROUP BY day
)
SELECT d.day, a.day IS NOT NULL AS complete, coalesce(u.uploads, 0)::bigint AS uploads,
    coalesce(u.refusals, 0)::bigint AS refusals, coalesce(u.failures, 0)::bigint AS failures,
    coalesce(u.downloads, 0)::bigint AS downloads, coalesce(u.bytes_in, 0)::bigint AS bytes_in,
    u.bytes_kept::bigint AS bytes_kept, u.systems::bigint AS systems, coalesce(u.suspended, 0)::bigint AS suspended,
    coalesce(u.damaged, 0)::bigint AS damaged, coalesce(u.refused, 0)::bigint AS refused, coalesce(u.never, 0)::bigint AS never,
    coalesce(u.silent, 0)::bigint AS silent, coalesce(u.late, 0)::bigint AS late, coalesce(u.fresh, 0)::bigint AS fresh
FROM (SELECT $1 + n AS day FROM generate_series(0, $2 - $1) AS n) AS d
LEFT JOIN usage_days_added AS a ON a.day = d.day
LEFT JOIN summed AS u ON u.day = d.day
ORDER BY d.day

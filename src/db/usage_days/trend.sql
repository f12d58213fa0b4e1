-- $1, $2: the first and the last day; $3: only these organizations, or null: all. One row for each day.
SELECT d.day, a.day IS NOT NULL AS complete, coalesce(sum(u.uploads), 0)::bigint AS uploads,
    coalesce(sum(u.refusals), 0)::bigint AS refusals, coalesce(sum(u.failures), 0)::bigint AS failures,
    coalesce(sum(u.downloads), 0)::bigint AS downloads, coalesce(sum(u.bytes_in), 0)::bigint AS bytes_in,
    sum(u.bytes_kept)::bigint AS bytes_kept, sum(u.systems)::bigint AS systems,
    coalesce(sum(u.suspended), 0)::bigint AS suspended, coalesce(sum(u.damaged), 0)::bigint AS damaged,
    coalesce(sum(u.refused), 0)::bigint AS refused, coalesce(sum(u.never), 0)::bigint AS never,
    coalesce(sum(u.silent), 0)::bigint AS silent, coalesce(sum(u.late), 0)::bigint AS late,
    coalesce(sum(u.fresh), 0)::bigint AS fresh
FROM (SELECT $1 + n AS day FROM generate_series(0, $2 - $1) AS n) AS d
LEFT JOIN usage_days_added AS a ON a.day = d.day
LEFT JOIN usage_days AS u ON u.day = d.day AND ($3 IS NULL OR u.org_id = ANY($3))
GROUP BY d.day, a.day ORDER BY d.day

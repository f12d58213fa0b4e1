-- $1, $2: the first and the last day; $3: only these organizations, or null: all; $4: whether they are added together.
-- One row for each organization, or one for all of them together.
WITH days AS (
    SELECT u.day, CASE WHEN $4 THEN '' ELSE u.org_id END AS org_id, sum(u.uploads) AS uploads, sum(u.refusals) AS refusals,
        sum(u.failures) AS failures, sum(u.downloads) AS downloads, sum(u.bytes_in) AS bytes_in, sum(u.bytes_kept) AS bytes_kept,
        sum(u.systems) AS systems
    FROM usage_days AS u
    WHERE u.day BETWEEN $1 AND $2 AND ($3 IS NULL OR u.org_id = ANY($3))
    GROUP BY u.day, CASE WHEN $4 THEN '' ELSE u.org_id END
)
SELECT org_id, sum(uploads)::bigint AS uploads, sum(refusals)::bigint AS refusals, sum(failures)::bigint AS failures,
    sum(downloads)::bigint AS downloads, sum(bytes_in)::bigint AS bytes_in, avg(bytes_kept)::bigint AS bytes_kept_average,
    max(bytes_kept)::bigint AS bytes_kept_maximum, coalesce(sum(bytes_kept), 0)::bigint AS byte_days,
    max(systems)::bigint AS systems_maximum, count(bytes_kept) AS days_measured
FROM days GROUP BY org_id ORDER BY org_id

SELECT jsonb_agg(to_jsonb(numbered))::text AS step
FROM (SELECT f.*, (row_number() OVER ()) / 1000 AS number FROM facts_of_backups AS f) AS numbered
GROUP BY number

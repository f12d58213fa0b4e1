SELECT jsonb_agg(to_jsonb(numbered))::text AS step
FROM (
    SELECT e.system_id, (row_number() OVER ()) / 1000 AS number,
        max(e.at) FILTER (WHERE e.kind = 'refused') AS refused_at,
        (array_agg(e.detail ->> 'reason' ORDER BY e.at DESC) FILTER (WHERE e.kind = 'refused'))[1] AS reason,
        max(e.at) FILTER (WHERE e.kind = 'credential_refused') AS credential_refused_at
    FROM backup_events AS e
    WHERE e.kind IN ('refused', 'credential_refused') AND e.system_id IS NOT NULL
    GROUP BY e.system_id
) AS numbered
GROUP BY number

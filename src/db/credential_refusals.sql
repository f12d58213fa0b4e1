-- The rows are written in the order of the systems' ids, so that two processes can't deadlock.
INSERT INTO backup_events AS e (at, kind, org_id, system_id, actor, remote_addr, detail)
SELECT statement_timestamp() - make_interval(secs => new.last_age), 'credential_refused', new.org_id, new.system_id, 'client',
    new.last_addr, jsonb_build_object('count', new.attempts, 'suspended', new.inactive, 'first_at',
        to_char((statement_timestamp() - make_interval(secs => new.first_age)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
FROM unnest($*) AS new (system_id, org_id, attempts, inactive, first_age, last_age, last_addr)
ORDER BY new.system_id
ON CONFLICT (system_id, date_trunc('hour', at AT TIME ZONE 'UTC')) WHERE kind = 'credential_refused' DO UPDATE SET
    at = greatest(e.at, excluded.at),
    remote_addr = CASE WHEN excluded.at >= e.at THEN excluded.remote_addr ELSE e.remote_addr END,
    detail = jsonb_build_object(
        'count', (e.detail ->> 'count')::bigint + (excluded.detail ->> 'count')::bigint,
        'suspended', (e.detail ->> 'suspended')::bigint + (excluded.detail ->> 'suspended')::bigint,
        'first_at', least(e.detail ->> 'first_at', excluded.detail ->> 'first_at'))

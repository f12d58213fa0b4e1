-- The caller holds the locks of the systems' rows, so nobody else adds an event of the same system and hour meanwhile.
WITH new AS MATERIALIZED (
    SELECT system_id, org_id, attempts, inactive, last_addr, statement_timestamp() - make_interval(secs => last_age) AS at,
        to_char((statement_timestamp() - make_interval(secs => first_age)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS first_at
    FROM unnest($*) AS new (system_id, org_id, attempts, inactive, first_age, last_age, last_addr)
), counted AS (
    UPDATE backup_events AS e SET
        at = greatest(e.at, new.at),
        remote_addr = CASE WHEN new.at >= e.at THEN new.last_addr ELSE e.remote_addr END,
        detail = jsonb_build_object(
            'count', (e.detail ->> 'count')::bigint + new.attempts,
            'suspended', (e.detail ->> 'suspended')::bigint + new.inactive,
            'first_at', least(e.detail ->> 'first_at', new.first_at))
    FROM new
    WHERE e.kind = 'credential_refused' AND e.system_id = new.system_id
        AND e.at >= date_trunc('hour', new.at, 'UTC') AND e.at < date_trunc('hour', new.at, 'UTC') + interval '1 hour'
    RETURNING e.system_id
), noted AS (
    UPDATE systems AS s SET last_credential_refusal_at = greatest(s.last_credential_refusal_at, new.at)
    FROM new WHERE s.id = new.system_id
)
INSERT INTO backup_events (at, kind, org_id, system_id, actor, remote_addr, detail)
SELECT at, 'credential_refused', org_id, system_id, 'client', last_addr,
    jsonb_build_object('count', attempts, 'suspended', inactive, 'first_at', first_at)
FROM new WHERE system_id NOT IN (SELECT system_id FROM counted)

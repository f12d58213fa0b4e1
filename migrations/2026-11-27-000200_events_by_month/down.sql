-- The events of the months go back into the first partition, which becomes the table again. Uploads wait for this.

DROP FUNCTION add_months_of_events;
DROP FUNCTION drop_month_of_events;
DROP FUNCTION partitions_of_events;

DO $$
DECLARE
    next_id bigint;
    rights record;
BEGIN
    LOCK TABLE backup_events IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('SELECT last_value + 1 FROM %s', pg_get_serial_sequence('backup_events', 'id')) INTO next_id;
    IF to_regclass('backup_events_first') IS NULL THEN
        -- The months that it had are older than the history goes back.
        CREATE TABLE backup_events_first (LIKE backup_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS,
            CONSTRAINT backup_events_first_pkey PRIMARY KEY (id));
        CREATE INDEX backup_events_first_at ON backup_events_first (at);
        CREATE INDEX backup_events_first_of_org ON backup_events_first (org_id, at);
    ELSE
        ALTER TABLE backup_events DETACH PARTITION backup_events_first;
    END IF;
    ALTER TABLE backup_events RENAME TO backup_events_by_month;
    DROP INDEX backup_events_at, backup_events_of_org, backup_events_of_system, backup_events_rare;
    DROP INDEX IF EXISTS backup_events_first_of_system_at, backup_events_first_rare;
    ALTER TABLE backup_events_first RENAME TO backup_events;
    INSERT INTO backup_events SELECT * FROM backup_events_by_month;
    ALTER INDEX backup_events_first_pkey RENAME TO backup_events_pkey;
    ALTER INDEX backup_events_first_at RENAME TO backup_events_at;
    ALTER INDEX backup_events_first_of_org RENAME TO backup_events_of_org;
    IF to_regclass('backup_events_first_of_system') IS NULL THEN
        CREATE INDEX backup_events_of_system ON backup_events (system_id, kind, at DESC);
    ELSE
        ALTER INDEX backup_events_first_of_system RENAME TO backup_events_of_system;
    END IF;
    ALTER TABLE backup_events_by_month ALTER COLUMN id DROP IDENTITY;
    ALTER TABLE backup_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;
    PERFORM setval(pg_get_serial_sequence('backup_events', 'id'), greatest(next_id, 1), false);
    FOR rights IN
        SELECT string_agg(DISTINCT privilege_type, ', ') AS names,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS grantee
        FROM pg_class, aclexplode(relacl) WHERE oid = 'backup_events_by_month'::regclass AND grantee <> relowner GROUP BY grantee
    LOOP
        EXECUTE format('GRANT %s ON backup_events TO %s', rights.names, rights.grantee);
    END LOOP;
END
$$;
-- A system may have several of these events in one hour: only the last of them stays.
DELETE FROM backup_events e USING backup_events later
WHERE e.kind = 'credential_refused' AND later.kind = 'credential_refused' AND e.system_id = later.system_id AND e.id < later.id
    AND date_trunc('hour', e.at AT TIME ZONE 'UTC') = date_trunc('hour', later.at AT TIME ZONE 'UTC');
CREATE UNIQUE INDEX backup_events_credential_refused
    ON backup_events (system_id, date_trunc('hour', at AT TIME ZONE 'UTC')) WHERE kind = 'credential_refused';

CREATE OR REPLACE VIEW support_recent_events AS
SELECT e.at, e.kind, e.org_id, s.system_key, s.name AS system_name, e.system_id, e.backup_id, e.actor,
    host(e.remote_addr) AS remote_addr, e.detail
FROM backup_events e
LEFT JOIN (
    SELECT id, system_key, name FROM systems
    UNION ALL SELECT id, system_key, name FROM destroyed_systems
) s ON s.id = e.system_id
WHERE e.at > statement_timestamp() - interval '7 days'
ORDER BY e.at DESC;

DROP TABLE backup_events_by_month;
COMMENT ON TABLE backup_events IS 'What happened, for people. No foreign keys: history survives what it tells of.';

-- So that the migration can be applied again.
DO $$
BEGIN
    EXECUTE format('ALTER TABLE backup_events ADD CONSTRAINT backup_events_first_end CHECK (at < %L)',
        (SELECT (date_trunc('month', greatest(statement_timestamp() + interval '8 days', max(at)) AT TIME ZONE 'UTC')
            + interval '1 month') AT TIME ZONE 'UTC' FROM backup_events));
END
$$;

-- The history in monthly partitions, so that an old month is dropped instead of deleted row by row.
--
-- Nothing is copied and no index is built: the table of today becomes the first partition, with its indexes. The lock that
-- uploads wait for is held for some milliseconds.
--
-- Times are in UTC. The parent has no primary key: it would have to contain `at`, and would have to be built. Each partition has
-- one over `id`, whose numbers come from one sequence.

DO $$
DECLARE
    next_id bigint;
    first_end text;
    legacy oid := 'backup_events'::regclass;
    owner name;
    right_of record;
BEGIN
    LOCK TABLE backup_events IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('SELECT last_value + 1 FROM %s', pg_get_serial_sequence('backup_events', 'id')) INTO next_id;
    -- The bound exactly as the checked constraint has it.
    SELECT (regexp_match(pg_get_constraintdef(oid), '''([^'']+)'''))[1] INTO STRICT first_end
    FROM pg_constraint WHERE conrelid = legacy AND conname = 'backup_events_first_end';
    SELECT pg_get_userbyid(relowner) INTO owner FROM pg_class WHERE oid = legacy;

    ALTER TABLE backup_events ALTER COLUMN id DROP IDENTITY;
    ALTER TABLE backup_events RENAME TO backup_events_first;
    ALTER INDEX backup_events_pkey RENAME TO backup_events_first_pkey;
    ALTER INDEX backup_events_at RENAME TO backup_events_first_at;
    ALTER INDEX backup_events_of_org RENAME TO backup_events_first_of_org;
    ALTER INDEX backup_events_of_system RENAME TO backup_events_first_of_system;
    -- An index over an hour can't be unique on a partitioned table.
    DROP INDEX backup_events_credential_refused;

    CREATE TABLE backup_events (
        id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        kind text NOT NULL,
        org_id text NOT NULL,
        system_id uuid,
        backup_id uuid,
        actor text NOT NULL,
        remote_addr inet,
        detail jsonb NOT NULL DEFAULT '{}',
        CONSTRAINT backup_events_kind_check CHECK (kind <> '')
    ) PARTITION BY RANGE (at);
    PERFORM setval(pg_get_serial_sequence('backup_events', 'id'), greatest(next_id, 1), false);
    EXECUTE format('ALTER TABLE backup_events OWNER TO %I', owner);

    EXECUTE format('ALTER TABLE backup_events ATTACH PARTITION backup_events_first FOR VALUES FROM (MINVALUE) TO (%L)', first_end);
    -- The partition's own bound says the same.
    ALTER TABLE backup_events_first DROP CONSTRAINT backup_events_first_end;

    CREATE INDEX backup_events_at ON ONLY backup_events (at);
    ALTER INDEX backup_events_at ATTACH PARTITION backup_events_first_at;
    CREATE INDEX backup_events_of_org ON ONLY backup_events (org_id, at);
    ALTER INDEX backup_events_of_org ATTACH PARTITION backup_events_first_of_org;
    -- A long first partition keeps its index over (system_id, kind, at) for now, with which its rows of a system are found as
    -- well. The task `history` builds this one for it, while uploads go on.
    CREATE INDEX backup_events_of_system ON ONLY backup_events (system_id, at);
    -- All kinds but those that every upload writes are found without reading all events. It costs an upload nothing. A long
    -- first partition gets it later, too.
    CREATE INDEX backup_events_rare ON ONLY backup_events (kind, at)
        WHERE kind <> ALL (ARRAY['uploaded', 'pruned']);

    IF (SELECT count(*) <= 10000 FROM (SELECT FROM backup_events_first LIMIT 10001) AS rows) THEN
        CREATE INDEX backup_events_first_of_system_at ON backup_events_first (system_id, at);
        ALTER INDEX backup_events_of_system ATTACH PARTITION backup_events_first_of_system_at;
        DROP INDEX backup_events_first_of_system;
        CREATE INDEX backup_events_first_rare ON backup_events_first (kind, at)
            WHERE kind <> ALL (ARRAY['uploaded', 'pruned']);
        ALTER INDEX backup_events_rare ATTACH PARTITION backup_events_first_rare;
    END IF;

    -- No event can fail to be written for want of a month: an upload would fail with it.
    CREATE TABLE backup_events_other PARTITION OF backup_events (PRIMARY KEY (id)) DEFAULT;
    EXECUTE format('ALTER TABLE backup_events_other OWNER TO %I', owner);

    -- Whoever had a right on the table has it on the new ones.
    FOR right_of IN
        SELECT privilege_type AS name, is_grantable, NULL AS of_column,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS grantee
        FROM pg_class, aclexplode(relacl) WHERE oid = legacy AND grantee <> relowner
        UNION ALL
        SELECT privilege_type, is_grantable, quote_ident(attname),
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
        FROM pg_attribute, aclexplode(attacl) WHERE attrelid = legacy AND attnum > 0 AND NOT attisdropped
    LOOP
        EXECUTE format('GRANT %s %s ON backup_events, backup_events_other TO %s %s', right_of.name, '(' || right_of.of_column || ')',
            right_of.grantee, CASE WHEN right_of.is_grantable THEN 'WITH GRANT OPTION' END);
    END LOOP;
END
$$;

COMMENT ON TABLE backup_events IS 'What happened, for people; one partition for each month. No foreign keys: history survives what it tells of.';
COMMENT ON TABLE backup_events_first IS 'The events from before there were months.';
COMMENT ON TABLE backup_events_other IS 'The events of months that have no partition. Usually none.';
DO $$
DECLARE
    about text[] := ARRAY[
        ['id', 'Running number.'],
        ['at', 'When it happened; of credential_refused: when it last happened within that hour.'],
        ['kind', (SELECT col_description('backup_events_first'::regclass, attnum) FROM pg_attribute
            WHERE attrelid = 'backup_events_first'::regclass AND attname = 'kind')],
        ['org_id', 'The organization at that time.'],
        ['system_id', 'The system, if it was about one.'],
        ['backup_id', 'The backup, if it was about one.'],
        ['actor', 'By whom: system (the appliance), operator (command line), link (whoever had a download link), client (not authenticated), service, or the subject of a token.'],
        ['remote_addr', 'From where, if it came over the network.'],
        ['detail', 'Facts of that kind of event, such as a reason, a file name or a size in bytes.']];
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['backup_events', 'backup_events_other'] LOOP
        FOR n IN 1 .. array_length(about, 1) LOOP
            EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', name, about[n][1], about[n][2]);
        END LOOP;
    END LOOP;
END
$$;

CREATE FUNCTION partitions_of_events() RETURNS TABLE (partition regclass, first_at timestamptz, next_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT c.oid::regclass, (regexp_match(bound, 'FROM \(''([^'']+)''\)'))[1]::timestamptz,
        (regexp_match(bound, 'TO \(''([^'']+)''\)'))[1]::timestamptz
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) AS bound
    WHERE i.inhparent = 'backup_events'::regclass
$$;
COMMENT ON FUNCTION partitions_of_events IS 'Returns the partitions of the history, and from when until before when their events are. Without a begin: backup_events_first; with neither: backup_events_other.';

CREATE FUNCTION add_months_of_events(now timestamptz, ahead integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    -- More rows are not moved: the month then stays in the default partition.
    movable CONSTANT integer := 10000;
    this_month timestamp := date_trunc('month', now AT TIME ZONE 'UTC');
    covered timestamptz := (SELECT max(p.next_at) FROM partitions_of_events() p);
    first_at timestamptz;
    next_at timestamptz;
    name text;
    added integer := 0;
BEGIN
    FOR n IN 0 .. ahead LOOP
        first_at := (this_month + make_interval(months => n)) AT TIME ZONE 'UTC';
        next_at := (this_month + make_interval(months => n + 1)) AT TIME ZONE 'UTC';
        CONTINUE WHEN first_at < covered OR (SELECT count(*) > movable
            FROM (SELECT FROM backup_events_other e WHERE e.at >= first_at AND e.at < next_at LIMIT movable + 1) AS rows);
        name := to_char(first_at AT TIME ZONE 'UTC', '"backup_events_"YYYY_MM');
        -- The table is made first and attached afterwards: events are written meanwhile.
        EXECUTE format('CREATE TABLE %I (LIKE backup_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS, '
            'PRIMARY KEY (id))', name);
        EXECUTE format('COMMENT ON TABLE %I IS %L', name,
            'The events of ' || to_char(first_at AT TIME ZONE 'UTC', 'YYYY-MM') || '.');
        LOCK TABLE backup_events_other IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('WITH moved AS (DELETE FROM backup_events_other WHERE at >= %L AND at < %L RETURNING *) '
            'INSERT INTO %I SELECT * FROM moved', first_at, next_at, name);
        EXECUTE format('ALTER TABLE backup_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first_at, next_at);
        added := added + 1;
    END LOOP;
    RETURN added;
END
$$;
COMMENT ON FUNCTION add_months_of_events IS 'Makes the partitions of this month and of the months ahead that the history does not have yet, and returns how many it has made.';

CREATE FUNCTION drop_month_of_events(before timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    oldest text;
BEGIN
    SELECT p.partition::text INTO oldest FROM partitions_of_events() p WHERE p.next_at <= before ORDER BY p.next_at LIMIT 1;
    IF oldest IS NOT NULL THEN
        EXECUTE format('DROP TABLE %s', oldest);
    END IF;
    RETURN oldest;
END
$$;
COMMENT ON FUNCTION drop_month_of_events IS 'Drops the oldest partition if all of its events are older than that, and returns its name; null: there is none.';

SELECT add_months_of_events(statement_timestamp(), 3);

-- The same view, on the new table.
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

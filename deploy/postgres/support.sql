-- The role `support`: reads what Strongroom knows about organizations, systems and backups, and
-- changes nothing.
--
--     psql -f support.sql 'postgres:///strongroom'
--     psql -f support.sql -v schema=NAME 'postgres:///strongroom'    # if several schemas have its tables
--     runuser -l postgres -c 'psql strongroom' <support.sql          # as root, on a Debian machine
--
-- Run it in Strongroom's database after `strongroom migrate`, as a superuser. It may run again at any
-- time, and should after an upgrade: it revokes every privilege that the role has on the schema, then
-- grants exactly what is listed here. If anything is missing it fails with an error and changes nothing.
--
-- An owner of the database who may create roles can run it as well; warnings then name what only a
-- superuser can revoke.
--
-- It also revokes privileges of everybody (PUBLIC) in this database, which is Strongroom's alone:
-- temporary tables, large objects, advisory locks, and new objects in the schema. The owners of the
-- tables and of the database keep the advisory locks and may still create objects.
--
-- What Postgres can't revoke, and why it does no harm:
-- * A session may switch off its own timeouts. But the role has at most ten sessions, and a migration
--   that waits for one names it in the log.
-- * NOTIFY on Strongroom's channel wakes no appliance unless there is a request in the table.
-- * Messages in the write-ahead log (pg_logical_emit_message) use only the disk space of their length.
--   Revoking that right would break pg_upgrade to Postgres 17, where the function has other arguments.
--
-- Roles belong to the whole cluster, not to a database, so no migration creates this one. It can log in
-- but has no password. Give it one (\password support), or allow log-ins in pg_hba.conf.

\set ON_ERROR_STOP on

BEGIN;

-- The schema of the tables: the one that was named, or the only one that has them.
\if :{?schema}
\else
SELECT CASE count(*) WHEN 1 THEN min(n.nspname) ELSE '' END AS schema
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'support_systems' AND c.relkind = 'v'
\gset
\endif
SELECT set_config('strongroom.schema', :'schema', true) \g /dev/null

DO $$
DECLARE
    home text := current_setting('strongroom.schema');
    missing text;
BEGIN
    IF home = '' THEN
        RAISE EXCEPTION 'no schema of this database has Strongroom''s views, or several have: is it the right database? '
            'Run "strongroom migrate" first, or name the schema with -v schema=NAME';
    END IF;
    SELECT string_agg(name, ', ') INTO missing
    FROM unnest(ARRAY['support_systems', 'support_orgs', 'support_recent_events', 'organizations', 'systems',
        'destroyed_systems', 'system_erasures', 'backups', 'org_usage', 'backup_requests', 'backup_events',
        'usage_days', 'usage_days_added']) AS name
    WHERE to_regclass(format('%I.%I', home, name)) IS NULL;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'schema % does not have %: run "strongroom migrate", then this file again', home, missing;
    END IF;
END
$$;

-- Only one run at a time in this database.
SELECT pg_advisory_xact_lock(hashtext('strongroom: role support')) \g /dev/null

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'support') THEN
        CREATE ROLE support LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 10;
        COMMENT ON ROLE support IS 'Strongroom: reads organizations, systems and backups; changes nothing.';
    END IF;
EXCEPTION
    -- Another run created it at the same moment, in another database.
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

DO $$
DECLARE
    limits text[] := ARRAY['default_transaction_read_only=on', 'statement_timeout=60s',
        'idle_in_transaction_session_timeout=60s'];
BEGIN
    -- The missing grants keep the role from writing. default_transaction_read_only only turns a mistake
    -- into a clear error: a session could switch it off. The timeouts keep a forgotten session or an
    -- endless query from blocking vacuum, or a migration that waits for its lock.
    -- The role is altered only if needed, because two databases can't alter it at the same time.
    IF NOT EXISTS (
        SELECT FROM pg_db_role_setting
        WHERE setrole = 'support'::regrole AND setdatabase = 0 AND setconfig @> limits
    ) THEN
        ALTER ROLE support SET default_transaction_read_only = on;
        ALTER ROLE support SET statement_timeout = '60s';
        ALTER ROLE support SET idle_in_transaction_session_timeout = '60s';
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'support' AND rolconnlimit <> 10) THEN
        ALTER ROLE support CONNECTION LIMIT 10;
    END IF;
    -- For this database alone: another one may have its tables in another schema.
    EXECUTE format('ALTER ROLE support IN DATABASE %I SET search_path = %I',
        current_database(), current_setting('strongroom.schema'));
EXCEPTION
    -- From Postgres 16 on, a role with CREATEROLE may alter only roles that it has created.
    WHEN insufficient_privilege THEN
        RAISE WARNING 'the limits of support are not set: %. Run this file as a superuser', SQLERRM;
END
$$;

-- Privileges that everybody has in a new database, and support must not have.
DO $$
DECLARE
    home text := current_setting('strongroom.schema');
    function regprocedure;
    owner name;
    what text;
    kept text := '';
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC, support', current_database());
    IF has_database_privilege('support', current_database(), 'TEMPORARY') THEN
        kept := kept || ', make temporary tables';
    END IF;
    -- In a schema that they do not own, the owners of the tables can create objects only by PUBLIC's right.
    FOR owner IN
        SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass(format('%I.organizations', home))
        UNION SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()
    LOOP
        EXECUTE format('GRANT CREATE ON SCHEMA %I TO %I', home, owner);
    END LOOP;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, support', home);
    IF has_schema_privilege('support', home, 'CREATE') THEN
        kept := kept || format(', make objects in the schema %I', home);
    END IF;

    -- Large objects fill the disk, and a million advisory locks fill the shared lock table. A read-only
    -- transaction can create both. Postgres' own warnings are off: there would be one for each function.
    SET LOCAL client_min_messages = error;
    FOR function IN
        SELECT p.oid FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace
          AND (p.proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_put', 'lowrite', 'lo_truncate',
                  'lo_truncate64', 'lo_unlink', 'lo_import')
              OR p.proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$')
    LOOP
        BEGIN
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, support', function);
            IF function::text ~ 'advisory' THEN
                -- Migrations need them.
                FOR owner IN
                    SELECT pg_get_userbyid(relowner) FROM pg_class
                    WHERE oid = to_regclass(format('%I.organizations', home))
                    UNION SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()
                LOOP
                    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', function, owner);
                END LOOP;
            END IF;
        EXCEPTION
            WHEN insufficient_privilege THEN NULL;
        END;
        IF has_function_privilege('support', function, 'EXECUTE') THEN
            what := CASE WHEN function::text ~ 'advisory' THEN ', take advisory locks'
                ELSE ', write large objects' END;
            kept := replace(kept, what, '') || what;
        END IF;
    END LOOP;
    SET LOCAL client_min_messages = warning;
    IF kept <> '' THEN
        RAISE WARNING 'support still may: %. To take that back, run this file as a superuser', substr(kept, 3);
    END IF;
END
$$;

DO $$
DECLARE
    home text := current_setting('strongroom.schema');
    name text;
    columns text;
BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO support', current_database());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO support', home);

    -- This also revokes grants on single columns.
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM support', home);

    -- Support works with the views. The tables behind them answer the questions that the views do not.
    FOREACH name IN ARRAY ARRAY[
        'support_systems', 'support_orgs', 'support_recent_events',
        'organizations', 'destroyed_systems', 'system_erasures', 'backups', 'org_usage', 'backup_requests', 'backup_events',
        'usage_days', 'usage_days_added'
    ] LOOP
        EXECUTE format('GRANT SELECT ON %I.%I TO support', home, name);
    END LOOP;

    -- All columns of systems but the hash of the secret: a hash can be compared with guesses, and support
    -- does not need it. So `SELECT *` is refused; name the columns.
    SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) INTO columns
    FROM information_schema.columns
    WHERE table_schema = home AND table_name = 'systems' AND column_name <> 'secret_sha256';
    EXECUTE format('GRANT SELECT (%s) ON %I.systems TO support', columns, home);
END
$$;

COMMIT;

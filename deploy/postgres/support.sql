-- The role `support`: reads what Strongroom knows about organizations, systems and backups, and
-- changes nothing.
--
--     psql -v ON_ERROR_STOP=1 -f support.sql 'postgres:///strongroom'
--
-- Run it in Strongroom's database, as a superuser or as an owner of that database who may create
-- roles. It may run again at any time, and should after an upgrade: it takes everything back that the
-- role has on the schema, then grants exactly what is listed here. Before the first migration it only
-- makes the role; the migrations grant the views.
--
-- Roles belong to the whole cluster, not to a database: that is why no migration makes this one.
-- It can log in but has no password. Give it one (\password support), or let people in by pg_hba.conf.

BEGIN;

-- One at a time in this database.
DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('strongroom: role support')); END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'support') THEN
        CREATE ROLE support LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
        COMMENT ON ROLE support IS 'Strongroom: reads organizations, systems and backups; changes nothing.';
    END IF;
EXCEPTION
    -- Somebody made it in the same moment, in another database.
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

DO $$
BEGIN
    -- What keeps the role from writing are the missing grants. Read-only only turns a slip into a clear
    -- error: a session could switch it off. The time-outs: a forgotten session or a query without an end
    -- must not hold back vacuum, nor a migration that waits for its lock.
    -- Asked first, because two databases can't change the same role at the same time.
    IF NOT EXISTS (
        SELECT FROM pg_db_role_setting
        WHERE setrole = 'support'::regrole AND setdatabase = 0 AND setconfig @> ARRAY[
            'default_transaction_read_only=on', 'statement_timeout=60s', 'idle_in_transaction_session_timeout=60s'
        ]
    ) THEN
        ALTER ROLE support SET default_transaction_read_only = on;
        ALTER ROLE support SET statement_timeout = '60s';
        ALTER ROLE support SET idle_in_transaction_session_timeout = '60s';
    END IF;
END
$$;

DO $$
DECLARE
    name text;
    columns text;
BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO support', current_database());
    GRANT USAGE ON SCHEMA public TO support;

    -- Also takes back grants on single columns.
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM support;

    -- The views are what support works with. The tables behind them answer the questions that the
    -- views do not.
    FOREACH name IN ARRAY ARRAY[
        'support_systems', 'support_orgs', 'support_recent_events',
        'organizations', 'backups', 'org_usage', 'backup_requests', 'backup_events'
    ] LOOP
        IF to_regclass(format('public.%I', name)) IS NULL THEN
            RAISE NOTICE '% is not there yet: run "strongroom migrate", then this file again', name;
        ELSE
            EXECUTE format('GRANT SELECT ON public.%I TO support', name);
        END IF;
    END LOOP;

    -- Of systems everything but the hash of the secret: a hash can be compared with guesses, and it
    -- helps nobody in support. `SELECT *` is refused for that reason; name the columns.
    SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) INTO columns
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = 'systems' AND column_name <> 'secret_sha256';
    IF columns IS NULL THEN
        RAISE NOTICE 'systems is not there yet: run "strongroom migrate", then this file again';
    ELSE
        EXECUTE format('GRANT SELECT (%s) ON public.systems TO support', columns);
    END IF;
END
$$;

COMMIT;

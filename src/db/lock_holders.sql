-- Sessions that may block a migration: those that hold the advisory lock $1, and those that have held a lock on one of our
-- tables for longer than a migration waits for a lock. The start time of other roles' transactions may be hidden.
SELECT a.pid, a.usename::text AS role, coalesce(a.application_name, '') AS application,
    bool_or(l.locktype = 'advisory') AS advisory,
    -- Every migration records its version in this table, or creates the table.
    coalesce(CASE WHEN to_regclass('__diesel_schema_migrations') IS NULL
        THEN has_schema_privilege(a.usesysid, current_schema(), 'CREATE')
        ELSE has_table_privilege(a.usesysid, to_regclass('__diesel_schema_migrations')::oid, 'INSERT')
    END, true) AS may_migrate
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.granted AND a.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND CASE l.locktype
      WHEN 'advisory' THEN l.objsubid = 1 AND (l.classid::bigint << 32) | l.objid::bigint = $1
      WHEN 'relation' THEN coalesce(a.xact_start < clock_timestamp() - interval '3 seconds', true)
          AND l.relation IN (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = current_schema())
      ELSE false
  END
GROUP BY a.pid, a.usesysid, a.usename, a.application_name
ORDER BY a.pid LIMIT 5

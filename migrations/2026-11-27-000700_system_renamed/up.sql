-- The kind of event that a new name of a system writes.

DO $$
DECLARE
    kinds text := col_description('backup_events'::regclass,
        (SELECT attnum FROM pg_attribute WHERE attrelid = 'backup_events'::regclass AND attname = 'kind'));
BEGIN
    EXECUTE format('COMMENT ON COLUMN backup_events.kind IS %L', replace(kinds, 'system_added,', 'system_added, system_renamed,'));
END
$$;

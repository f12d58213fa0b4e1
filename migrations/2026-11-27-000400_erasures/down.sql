DO $$
DECLARE
    kinds text := col_description('backup_events'::regclass, attnum) FROM pg_attribute
        WHERE attrelid = 'backup_events'::regclass AND attname = 'kind';
BEGIN
    EXECUTE format('COMMENT ON COLUMN backup_events.kind IS %L', replace(kinds, 'destroyed, erased, ', 'destroyed, '));
END
$$;

DROP TABLE system_erasures;

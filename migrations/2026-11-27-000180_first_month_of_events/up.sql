-- Prepares the history for its partitions: the table of today becomes the first of them, and no row of it is copied. A
-- constraint says until when its rows may be. It is declared here, checked by the next migration while uploads go on, and used
-- by the one after that, which then has to read no row.
--
-- The end is more than a week ahead, so that no event can be later than that before the partitions are there.
DO $$
DECLARE
    latest timestamptz;
    first_end timestamptz;
BEGIN
    LOCK TABLE backup_events IN ACCESS EXCLUSIVE MODE;
    -- The clock of the database may once have been wrong.
    SELECT max(at) INTO latest FROM backup_events;
    first_end := (date_trunc('month', greatest(statement_timestamp() + interval '8 days', latest) AT TIME ZONE 'UTC')
        + interval '1 month') AT TIME ZONE 'UTC';
    EXECUTE format('ALTER TABLE backup_events ADD CONSTRAINT backup_events_first_end CHECK (at < %L) NOT VALID', first_end);
END
$$;

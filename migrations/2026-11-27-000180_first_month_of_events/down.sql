ALTER TABLE backup_events DROP CONSTRAINT IF EXISTS backup_events_first_end;

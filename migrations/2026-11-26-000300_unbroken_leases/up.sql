-- When a sweep may take the uploads of a process for abandoned.

ALTER TABLE writers ADD COLUMN unbroken_since timestamptz NOT NULL DEFAULT clock_timestamp();
COMMENT ON COLUMN writers.unbroken_since IS 'Since when the lease has been renewed each time before it was over. As long as nobody has done so for a whole lease, the database may have been away, and no lease that is over says anything.';

-- A store lists its objects in the byte order of their keys. With the same order in the index, rows and objects are
-- compared in one pass over each. Only the index is rebuilt, the table is not; comparing bytes is also cheaper.
ALTER TABLE backups ALTER COLUMN object_key TYPE text COLLATE "C";

COMMENT ON COLUMN backup_events.kind IS 'uploaded, failed, downloaded, deleted, pruned, over_size_cap, refused, system_added, secret_rotated, suspended, resumed, destroyed ...';

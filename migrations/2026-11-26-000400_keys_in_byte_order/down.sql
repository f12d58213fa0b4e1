ALTER TABLE backups ALTER COLUMN object_key TYPE text COLLATE "default";
COMMENT ON COLUMN backup_events.kind IS 'uploaded, downloaded, deleted, pruned, over_size_cap, refused, system_added, secret_rotated, suspended, resumed, destroyed ...';

ALTER TABLE backups ALTER COLUMN object_key TYPE text COLLATE "default";

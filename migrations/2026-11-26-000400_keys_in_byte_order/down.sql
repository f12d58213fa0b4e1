ALTER TABLE backups ADD CONSTRAINT backups_object_key_key UNIQUE (object_key);
DROP INDEX backups_of_key;

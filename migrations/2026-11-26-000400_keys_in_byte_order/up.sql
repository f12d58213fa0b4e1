-- A store lists its objects in the byte order of their keys. With an index in the same order, rows and objects are compared
-- in one pass over each. The column keeps its type: processes of the version before go on with their prepared statements.
-- On a large table the index can be built before the upgrade, CONCURRENTLY, while uploads go on (docs/operations.md).
CREATE UNIQUE INDEX IF NOT EXISTS backups_of_key ON backups (object_key COLLATE "C");
ALTER TABLE backups DROP CONSTRAINT backups_object_key_key;

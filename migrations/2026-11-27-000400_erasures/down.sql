DROP INDEX destroyed_systems_of_org;
DROP TABLE system_erasures;

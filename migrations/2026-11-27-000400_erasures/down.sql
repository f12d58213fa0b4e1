DROP TABLE system_erasures;

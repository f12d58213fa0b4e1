ALTER TABLE writers DROP COLUMN unbroken_since;

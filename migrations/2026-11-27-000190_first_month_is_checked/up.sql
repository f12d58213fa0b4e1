-- Reads the whole history once. Uploads and their events go on meanwhile.
ALTER TABLE backup_events VALIDATE CONSTRAINT backup_events_first_end;

-- Which ended requests are too old is found without reading all of them. They are few: uploads wait some milliseconds.
CREATE INDEX backup_requests_ended ON backup_requests (ended_at) WHERE ended_at IS NOT NULL;

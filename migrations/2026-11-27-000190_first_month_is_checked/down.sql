DROP INDEX backup_requests_ended;

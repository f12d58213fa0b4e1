-- The kinds of events that changes of the fleet write.

COMMENT ON COLUMN backup_events.kind IS 'Of backups: uploaded, failed, refused, over_size_cap, downloaded, deleted, pruned, orphan_deleted; of backup requests: requested, request_cancelled, request_expired; of organizations: org_added, org_renamed, org_moved, org_deleted, quota_set; of systems: system_added, secret_rotated, suspended, resumed, destroyed, erased, credential_refused; of either: period_set. docs/operations.md explains each.';

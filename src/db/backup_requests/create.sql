-- Makes a request and notifies about it. The system is locked, so no upload is admitted meanwhile.
WITH made AS (
    INSERT INTO backup_requests (id, system_id, org_id, requested_by, requested_at, expires_at)
    SELECT $1, $2, $3, $4, requested.at, clock_timestamp() + make_interval(secs => $5)
    FROM (
        -- A request is not earlier than the admission of any open upload, even if the clock was set back.
        SELECT greatest(clock_timestamp(), max(b.admitted_at)) AS at
        FROM backups AS b WHERE b.system_id = $2 AND b.state = 'receiving'
    ) AS requested
    RETURNING *
)
SELECT made.*, pg_notify('strongroom_requests', made.system_id::text) IS NULL AS notified FROM made

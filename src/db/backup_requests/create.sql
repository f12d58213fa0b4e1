-- A new request, and the notification of it. The system is locked: no upload is admitted meanwhile.
WITH made AS (
    INSERT INTO backup_requests (id, system_id, org_id, requested_by, requested_at, expires_at)
    SELECT $1, $2, $3, $4, asked.at, clock_timestamp() + make_interval(secs => $5)
    FROM (
        -- Not before the admission of an upload that is under way, even if the clock was set back.
        SELECT greatest(clock_timestamp(), max(b.admitted_at)) AS at
        FROM backups AS b WHERE b.system_id = $2 AND b.state = 'receiving'
    ) AS asked
    RETURNING *
)
SELECT made.*, pg_notify('strongroom_requests', made.system_id::text) IS NULL AS told FROM made

-- All that a batch changes. Every row is locked already, or new, and is written once: the parts of
-- one statement do not see each other's rows.
WITH given (
    org, org_stored, org_reserved, writer, clock,
    new_id, new_system, new_org, new_key, new_extension, new_filename, new_mimetype, new_addr, new_entry, new_want, new_reserved,
    id, was, state, want, held, pledged_to, seq, size, sha256, encrypted, reason, pause,
    system, last_seq, given_back, slides, entry_of, entry
) AS (SELECT $*),
admitted AS (
    INSERT INTO backups (id, system_id, org_id, object_key, extension, state, filename, mimetype, writer, remote_addr,
        admitted_at, window_entry, want_bytes, reserved_bytes)
    SELECT new.id, new.system, new.org, new.key, new.extension, 'receiving', new.filename, new.mimetype, given.writer,
        -- Later than every request that it may answer, even if the clock was set back: the system is locked, so
        -- a request is either among these or will be made after this (db/backup_requests).
        new.addr, greatest(given.clock, (SELECT max(r.requested_at) + interval '1 microsecond' FROM backup_requests AS r
            WHERE r.system_id = new.system AND r.state IN ('pending', 'seen'))),
        new.entry, new.want, new.reserved
    FROM given, unnest(given.new_id, given.new_system, given.new_org, given.new_key, given.new_extension, given.new_filename,
            given.new_mimetype, given.new_addr, given.new_entry, given.new_want, given.new_reserved)
        AS new (id, system, org, key, extension, filename, mimetype, addr, entry, want, reserved)
),
changed AS (
    UPDATE backups AS b SET
        state = c.state,
        want_bytes = coalesce(c.want, b.want_bytes),
        reserved_bytes = c.held,
        pledged_to = c.pledged_to,
        -- Of those that are stored now.
        seq = coalesce(c.seq, b.seq),
        size_bytes = coalesce(c.size, b.size_bytes),
        sha256 = coalesce(c.sha256, b.sha256),
        encrypted = coalesce(c.encrypted, b.encrypted),
        uploaded_at = CASE WHEN c.seq IS NULL THEN b.uploaded_at ELSE given.clock END,
        -- Of those that are retired now.
        retired_reason = c.reason,
        retired_at = CASE WHEN c.reason IS NOT NULL THEN clock_timestamp() END,
        purge_after = clock_timestamp() + make_interval(secs => c.pause)
    FROM given, unnest(given.id, given.was, given.state, given.want, given.held, given.pledged_to, given.seq, given.size,
            given.sha256, given.encrypted, given.reason, given.pause)
        AS c (id, was, state, want, held, pledged_to, seq, size, sha256, encrypted, reason, pause)
    WHERE b.id = c.id AND b.state = c.was
    RETURNING b.id
),
-- A request is fulfilled by the first backup that was let in after it had been asked for.
fulfilled AS (
    UPDATE backup_requests AS r SET state = 'fulfilled', ended_at = clock_timestamp(), backup_id = answer.id,
        backup_extension = answer.extension
    FROM (
        SELECT DISTINCT ON (open.id) open.id AS request, b.id, b.extension
        FROM given CROSS JOIN unnest(given.id, given.seq) AS c (id, seq)
        JOIN backups AS b ON b.id = c.id
        JOIN backup_requests AS open ON open.system_id = b.system_id
        WHERE c.seq IS NOT NULL AND open.state IN ('pending', 'seen') AND open.expires_at > clock_timestamp()
            AND open.requested_at < b.admitted_at
        ORDER BY open.id, c.seq
    ) AS answer
    WHERE r.id = answer.request AND r.state IN ('pending', 'seen')
),
counted AS (
    UPDATE systems AS s SET
        last_seq = c.last_seq,
        window_epoch = s.window_epoch + c.given_back,
        recent_admissions = CASE WHEN c.slides
            THEN ARRAY(SELECT e.entry FROM unnest(given.entry_of, given.entry) AS e (of, entry)
                WHERE e.of = s.id ORDER BY e.entry)
            ELSE s.recent_admissions END
    FROM given, unnest(given.system, given.last_seq, given.given_back, given.slides) AS c (id, last_seq, given_back, slides)
    WHERE s.id = c.id
),
summed AS (
    UPDATE org_usage AS u SET stored_bytes = c.stored, reserved_bytes = c.reserved
    FROM given, unnest(given.org, given.org_stored, given.org_reserved) AS c (org, stored, reserved)
    WHERE u.org_id = c.org AND (u.stored_bytes, u.reserved_bytes) <> (c.stored, c.reserved)
)
SELECT count(*) AS changed FROM changed

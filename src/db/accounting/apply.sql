-- All that a transaction writes, except its events. Every row is locked already or new, and is written only once: the parts
-- of one statement do not see each other's rows. `apply.rs` declares the names in braces.
WITH {given},
admitted AS (
    INSERT INTO backups (id, system_id, org_id, object_key, extension, state, filename, mimetype, writer, remote_addr,
        admitted_at, window_entry, want_bytes, reserved_bytes, seq, size_bytes, sha256, encrypted, uploaded_at)
    SELECT new.id, new.system, new.org, new.key, new.extension, CASE WHEN new.seq IS NULL THEN 'receiving' ELSE 'stored' END,
        new.filename, new.mimetype, given.writer,
        -- The time of admission is later than every backup request that the upload may fulfil, even if the clock was set back. The
        -- system is locked: a request is either found here, or made after this admission (db/backup_requests).
        new.addr, greatest(new.at, (SELECT max(r.requested_at) + interval '1 microsecond' FROM backup_requests AS r
            WHERE r.system_id = new.system AND r.state IN ('pending', 'seen'))),
        new.entry, new.wanted_bytes, new.reserved, new.seq, new.size, new.sha256, new.encrypted,
        CASE WHEN new.seq IS NOT NULL THEN given.db_time END
    FROM given, {new}
),
changed AS (
    UPDATE backups AS b SET
        state = change.state,
        want_bytes = coalesce(change.wanted_bytes, b.want_bytes),
        reserved_bytes = change.reserved,
        pledged_to = change.pledged_to,
        -- These values are null unless this transaction stores the backup.
        seq = coalesce(change.seq, b.seq),
        size_bytes = coalesce(change.size, b.size_bytes),
        sha256 = coalesce(change.sha256, b.sha256),
        encrypted = coalesce(change.encrypted, b.encrypted),
        uploaded_at = CASE WHEN change.seq IS NULL THEN b.uploaded_at ELSE given.db_time END,
        -- These values are null unless this transaction retires the backup.
        retired_reason = change.reason,
        retired_at = CASE WHEN change.reason IS NOT NULL THEN clock_timestamp() END,
        purge_after = clock_timestamp() + make_interval(secs => change.purge_delay)
    FROM given, {change}
    WHERE b.id = change.id AND b.state = change.was
    RETURNING b.id
),
-- A backup request is fulfilled by the first backup that was admitted after the request was made.
fulfilled AS (
    UPDATE backup_requests AS r SET state = 'fulfilled', ended_at = clock_timestamp(), backup_id = answer.id,
        backup_extension = answer.extension
    FROM (
        SELECT DISTINCT ON (open.id) open.id AS request, stored.id, stored.extension
        FROM (
            SELECT b.system_id, b.id, b.extension, b.admitted_at, change.seq
            FROM given CROSS JOIN {change(id, seq)} JOIN backups AS b ON b.id = change.id
            WHERE change.seq IS NOT NULL
            UNION ALL
            -- It is admitted after every open request.
            SELECT new.system, new.id, new.extension, 'infinity', new.seq
            FROM given, {new(id, system, extension, seq)}
            WHERE new.seq IS NOT NULL
        ) AS stored
        JOIN backup_requests AS open ON open.system_id = stored.system_id
        WHERE open.state IN ('pending', 'seen') AND open.expires_at > clock_timestamp()
            AND open.requested_at < stored.admitted_at
        ORDER BY open.id, stored.seq
    ) AS answer
    WHERE r.id = answer.request AND r.state IN ('pending', 'seen')
),
counted AS (
    UPDATE systems AS s SET
        last_seq = system.last_seq,
        window_epoch = s.window_epoch + system.released_slots,
        recent_admissions = CASE WHEN system.window_changed
            THEN ARRAY(SELECT entry.at FROM {entry} WHERE entry.system = s.id ORDER BY entry.at)
            ELSE s.recent_admissions END,
        backups_kept = system.kept,
        bytes_kept = system.bytes,
        last_backup_id = system.newest,
        last_backup_at = system.newest_at,
        last_backup_damage = system.damage,
        whole_backup_id = system.whole,
        whole_backup_at = system.whole_at,
        -- What is unchanged was deleted.
        unchanged_at = CASE WHEN system.has_last THEN s.unchanged_at END,
        refused_at = system.refused_at,
        refused_reason = system.refused_reason,
        refused_since = system.refused_since,
        refused_upload_at = system.refused_upload_at,
        last_refusal_at = coalesce(system.last_refusal_at, s.last_refusal_at),
        last_refusal_reason = coalesce(system.last_refusal_reason, s.last_refusal_reason),
        last_seen_at = CASE WHEN system.seen THEN greatest(given.db_time, s.last_seen_at) ELSE s.last_seen_at END,
        last_seen_from = CASE WHEN system.seen THEN system.seen_from ELSE s.last_seen_from END
    FROM given, {system}
    WHERE s.id = system.id
),
summed AS (
    UPDATE org_usage AS u SET stored_bytes = org.stored, reserved_bytes = org.reserved
    FROM given, {org}
    WHERE u.org_id = org.id AND (u.stored_bytes, u.reserved_bytes) <> (org.stored, org.reserved)
)
SELECT count(*) AS changed FROM changed

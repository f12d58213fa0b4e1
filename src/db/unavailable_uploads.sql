-- Marks the systems. The rows are locked in the order of their ids, and no lock is waited for: the uploads of locked systems
-- are returned without a system.
--
-- The planner must not know how many uploads are given: for some thousand it would read the whole table.
WITH given (keys, secrets, first_ages, last_ages, addrs) AS MATERIALIZED (SELECT $*),
attempt AS (
    SELECT key, secret, addr, place, statement_timestamp() - make_interval(secs => first_age) AS first_at,
        statement_timestamp() - make_interval(secs => last_age) AS last_at
    FROM given, unnest(keys, secrets, first_ages, last_ages, addrs) WITH ORDINALITY
        AS one (key, secret, first_age, last_age, addr, place)
),
-- A wrong credential is nobody's.
own AS (
    SELECT s.id, s.last_backup_id, attempt.* FROM attempt JOIN systems s ON s.system_key = attempt.key
    -- A suspended system has the refusal when it is resumed.
    WHERE s.state <> 'destroying' AND (s.secret_sha256 = attempt.secret
        OR (s.previous_secret_sha256 = attempt.secret AND s.previous_secret_until > attempt.last_at))
),
by_system AS MATERIALIZED (
    SELECT id, last_backup_id AS known_backup_id, min(first_at) AS first_at, max(last_at) AS last_at,
        (array_agg(addr ORDER BY last_at DESC))[1] AS addr, array_agg(place) AS places
    FROM own GROUP BY id, last_backup_id
),
locked AS (
    SELECT by_system.*, s.org_id, s.last_backup_id, s.last_backup_at, s.refused_upload_at, s.last_refusal_at
    FROM by_system JOIN systems s USING (id)
    ORDER BY s.id FOR NO KEY UPDATE OF s SKIP LOCKED
),
compared AS (
    SELECT locked.*,
        -- No backup was sent after the newest one was stored, so the others are rarely read.
        CASE WHEN last_backup_id IS NULL THEN '-infinity' WHEN first_at > last_backup_at THEN last_backup_at ELSE
            (SELECT max(b.admitted_at) FROM backups b WHERE b.system_id = locked.id AND b.state = 'stored') END AS newest_sent_at
    FROM locked
    -- This statement does not see a backup that was stored after its start: the next one will.
    WHERE last_backup_id IS NOT DISTINCT FROM known_backup_id
    OFFSET 0
),
marked AS (
    UPDATE systems AS s SET
        refused_at = CASE WHEN stands THEN last_at ELSE s.refused_at END,
        refused_reason = CASE WHEN stands THEN 'unavailable' ELSE s.refused_reason END,
        refused_since = CASE WHEN stands
            THEN coalesce(s.refused_since, CASE WHEN first_at > newest_sent_at THEN first_at ELSE last_at END)
            ELSE s.refused_since END,
        refused_upload_at = CASE WHEN stands THEN sent_at ELSE s.refused_upload_at END,
        last_refusal_at = CASE WHEN is_last THEN last_at ELSE s.last_refusal_at END,
        last_refusal_reason = CASE WHEN is_last THEN 'unavailable' ELSE s.last_refusal_reason END,
        last_seen_at = greatest(s.last_seen_at, last_at),
        last_seen_from = CASE WHEN coalesce(s.last_seen_at > last_at, false) THEN s.last_seen_from ELSE addr END
    FROM (
        SELECT dated.*, sent_at > newest_sent_at AND coalesce(sent_at > refused_upload_at, true) AS stands,
            coalesce(last_at > last_refusal_at, true) AS is_last
        FROM (
            -- If the clock was set back, what is stored may seem to come from the future: the refusal is later all the same.
            SELECT compared.*, CASE WHEN newest_sent_at > statement_timestamp() THEN newest_sent_at + interval '1 microsecond'
                ELSE last_at END AS sent_at
            FROM compared
        ) AS dated
    ) AS refused WHERE s.id = refused.id
)
SELECT places, id AS system_id, org_id, last_at, addr FROM compared
UNION ALL SELECT places, NULL, NULL, NULL, NULL FROM by_system WHERE id NOT IN (SELECT id FROM compared)

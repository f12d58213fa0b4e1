-- The rows are locked in the order of their ids, and no lock is waited for. A row that another transaction has locked is
-- returned: it was often the admission of an upload, which writes the same.
--
-- The planner must not know how many systems are given: for some hundred it would read the whole table.
WITH given (ids, ages, addrs) AS MATERIALIZED (SELECT $*),
seen AS (
    SELECT id, statement_timestamp() - make_interval(secs => age) AS at, addr
    FROM given, unnest(ids, ages, addrs) AS one (id, age, addr)
),
due AS (
    SELECT s.id FROM systems s JOIN seen USING (id)
    WHERE coalesce(s.last_seen_at <= statement_timestamp() - interval '1 minute' AND s.last_seen_at < seen.at, true)
),
locked AS (
    SELECT s.id, seen.at, seen.addr FROM systems s JOIN seen USING (id)
    WHERE coalesce(s.last_seen_at <= statement_timestamp() - interval '1 minute' AND s.last_seen_at < seen.at, true)
    ORDER BY s.id FOR NO KEY UPDATE OF s SKIP LOCKED
),
written AS (
    UPDATE systems AS s SET last_seen_at = locked.at, last_seen_from = locked.addr FROM locked WHERE s.id = locked.id
)
SELECT id FROM due WHERE id NOT IN (SELECT id FROM locked)

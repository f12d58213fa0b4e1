-- `proven`: some process has renewed its lease without a gap for a whole lease, so the writer could have renewed its own,
-- too. While the database was unreachable (or replaced by another one, or its clock jumped), no process could renew a lease.
SELECT b.id, b.system_id, b.org_id, b.object_key,
  b.writer IS NOT DISTINCT FROM $1 OR EXISTS (
    SELECT FROM writers witness
    WHERE witness.lease_expires_at > clock_timestamp()
      AND witness.unbroken_since < clock_timestamp() - make_interval(secs => $3)
  ) AS proven
FROM backups b
LEFT JOIN writers w ON w.process_id = b.writer
WHERE b.state = 'receiving'
  -- The calling process knows its own open uploads: they are alive even if its lease has expired.
  AND (b.writer IS DISTINCT FROM $1 OR b.id <> ALL ($2))
  AND (
    (b.writer = $1 AND b.admitted_at < clock_timestamp() - interval '1 minute')
    OR (
      (w.process_id IS NULL OR w.lease_expires_at < clock_timestamp() - make_interval(secs => $3))
      AND b.admitted_at < clock_timestamp() - make_interval(secs => $3)
    )
  )
-- Proven rows first: the others can't be decided yet, and must not use up the limit.
ORDER BY proven DESC, b.org_id, b.id
LIMIT 500

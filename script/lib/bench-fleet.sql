-- A fleet for script/bench, as the service would have written it. Variables: `orgs`, `systems`, `rows`,
-- `secret` (of all systems), and `org_of`, an expression for the number of system n's organization.

-- The rows are consistent by construction, so Postgres need not check foreign keys row by row.
SET session_replication_role = replica;

INSERT INTO organizations (id, name) SELECT 'org' || n, 'Organization ' || n FROM generate_series(1, :orgs) n;

INSERT INTO systems (id, system_key, org_id, name, secret_sha256, last_seq)
SELECT gen_random_uuid(), 'sys' || n, 'org' || (:org_of), 'System ' || n, sha256(:'secret'), ceil(:rows::numeric / :systems)
FROM generate_series(1, :systems) n;

-- The systems take turns over the last ten days; ids are UUIDv7 of that time.
INSERT INTO backups (id, system_id, org_id, object_key, extension, state, filename, mimetype, writer, remote_addr,
    admitted_at, window_entry, want_bytes, reserved_bytes, seq, size_bytes, sha256, encrypted, uploaded_at)
SELECT b.id, s.id, s.org_id, s.org_id || '/' || s.system_key || '/' || b.id || '.tar.gz', 'tar.gz', 'stored',
    'backup.tar.gz', 'application/octet-stream', '00000000-0000-7000-8000-000000000000', '192.0.2.1',
    b.at, b.at, 65536, 0, (b.g - 1) / :systems + 1, 65536, sha256(b.g::text::bytea), true, b.at
FROM (
    SELECT g, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(g::text), 1, 3) || '8' || substr(md5(g::text), 4, 15))::uuid AS id
    FROM generate_series(1, :rows) g
    CROSS JOIN LATERAL (SELECT now() - (:rows - g) * interval '10 days' / nullif(:rows, 0) AS at) t
) b
JOIN systems s ON s.system_key = 'sys' || ((b.g - 1) % :systems + 1)
ORDER BY b.g;

INSERT INTO backup_events (at, kind, org_id, system_id, backup_id, actor, remote_addr, detail)
SELECT uploaded_at, 'uploaded', org_id, system_id, id, 'system', remote_addr,
    jsonb_build_object('size', size_bytes, 'encrypted', encrypted)
FROM backups ORDER BY uploaded_at;

INSERT INTO org_usage (org_id, stored_bytes)
SELECT o.id, coalesce(sum(b.size_bytes), 0) FROM organizations o LEFT JOIN backups b ON b.org_id = o.id GROUP BY o.id;

VACUUM (FREEZE, ANALYZE);
CHECKPOINT;

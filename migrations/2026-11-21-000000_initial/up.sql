-- Strongroom's tables. Who may change the books (org_usage, backups, systems.last_seq) is said in
-- src/db/accounting: always under the lock of the organization's row in org_usage.

CREATE TABLE organizations (
    id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$'),
    name text NOT NULL CHECK (name <> ''),
    quota_bytes bigint CHECK (quota_bytes >= 0),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE organizations IS 'The tenants. Every system and every backup belongs to exactly one.';
COMMENT ON COLUMN organizations.id IS 'Chosen by the operator; first segment of every object key of the organization.';
COMMENT ON COLUMN organizations.name IS 'Name for people.';
COMMENT ON COLUMN organizations.quota_bytes IS 'Own quota in bytes; 0: unlimited; null: the default of the service (service_defaults.org_quota_bytes).';
COMMENT ON COLUMN organizations.created_at IS 'When the organization was added.';

CREATE TABLE org_usage (
    org_id text PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    stored_bytes bigint NOT NULL DEFAULT 0 CHECK (stored_bytes >= 0),
    reserved_bytes bigint NOT NULL DEFAULT 0 CHECK (reserved_bytes >= 0)
);
COMMENT ON TABLE org_usage IS 'The books: one row per organization. Its lock orders everything that changes them.';
COMMENT ON COLUMN org_usage.org_id IS 'The organization.';
COMMENT ON COLUMN org_usage.stored_bytes IS 'Sum of size_bytes of the organization''s stored backups.';
COMMENT ON COLUMN org_usage.reserved_bytes IS 'Sum of reserved_bytes of the organization''s receiving backups.';

CREATE TABLE systems (
    id uuid PRIMARY KEY,
    system_key text NOT NULL UNIQUE CHECK (system_key ~ '^[A-Za-z0-9_-]{1,64}$'),
    org_id text NOT NULL REFERENCES organizations (id),
    name text NOT NULL CHECK (name <> ''),
    secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'destroying')),
    backup_period interval NOT NULL DEFAULT '26 hours' CHECK (backup_period > '0'),
    last_seq bigint NOT NULL DEFAULT 0 CHECK (last_seq >= 0),
    recent_admissions timestamptz[] NOT NULL DEFAULT '{}',
    window_epoch bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX systems_org_id ON systems (org_id);
CREATE INDEX systems_destroying ON systems (id) WHERE state = 'destroying';
COMMENT ON TABLE systems IS 'The appliances. A system authenticates with system_key and a secret of which only the hash is kept.';
COMMENT ON COLUMN systems.id IS 'Identity of the system; never changes.';
COMMENT ON COLUMN systems.system_key IS 'User name of the Basic auth credential; second segment of the system''s object keys.';
COMMENT ON COLUMN systems.org_id IS 'The organization it belongs to.';
COMMENT ON COLUMN systems.name IS 'Name for people; need not be unique.';
COMMENT ON COLUMN systems.secret_sha256 IS 'SHA-256 of the secret.';
COMMENT ON COLUMN systems.state IS 'active; suspended: its credential is refused; destroying: being erased for good.';
COMMENT ON COLUMN systems.backup_period IS 'A newest backup older than this makes the system late in support_systems.';
COMMENT ON COLUMN systems.last_seq IS 'backups.seq of its newest commit: a counter, because a clock can jump.';
COMMENT ON COLUMN systems.recent_admissions IS 'Times of its admitted uploads within the last hour: the rate limit''s sliding window.';
COMMENT ON COLUMN systems.window_epoch IS 'Goes up when a slot of the window is given back, so that every process forgets its older refusals.';
COMMENT ON COLUMN systems.created_at IS 'When the system was added.';

CREATE TABLE writers (
    process_id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_expires_at timestamptz NOT NULL
);
COMMENT ON TABLE writers IS 'The running service processes. Uploads of a process whose lease is over are taken back.';
COMMENT ON COLUMN writers.process_id IS 'Made anew at every start of the service.';
COMMENT ON COLUMN writers.started_at IS 'When the process started.';
COMMENT ON COLUMN writers.lease_expires_at IS 'Renewed while the process lives (BACKUP_LEASE).';

CREATE TABLE backups (
    id uuid PRIMARY KEY,
    system_id uuid NOT NULL REFERENCES systems (id),
    org_id text NOT NULL REFERENCES organizations (id),
    object_key text NOT NULL UNIQUE,
    extension text NOT NULL CHECK (extension IN ('tar.gz', 'tar.xz', 'tar.bz2', 'tar.zst', 'gpg', 'bin')),
    state text NOT NULL CHECK (state IN ('receiving', 'stored', 'retired')),
    filename text NOT NULL CHECK (filename <> ''),
    mimetype text NOT NULL CHECK (mimetype <> ''),
    writer uuid,
    remote_addr inet,
    admitted_at timestamptz NOT NULL,
    window_entry timestamptz,
    want_bytes bigint NOT NULL CHECK (want_bytes >= 0),
    reserved_bytes bigint NOT NULL CHECK (reserved_bytes >= 0),
    pledged_to uuid,
    seq bigint,
    size_bytes bigint CHECK (size_bytes > 0),
    sha256 bytea CHECK (octet_length(sha256) = 32),
    encrypted boolean,
    damage text CHECK (damage IN ('damaged', 'missing')),
    uploaded_at timestamptz,
    retired_at timestamptz,
    retired_reason text CHECK (retired_reason IN ('slots', 'size', 'system', 'operator', 'failed')),
    purge_after timestamptz,
    purge_started_at timestamptz,
    CHECK (state <> 'receiving' OR writer IS NOT NULL),
    CHECK (state <> 'stored' OR (seq IS NOT NULL AND size_bytes IS NOT NULL AND sha256 IS NOT NULL
        AND encrypted IS NOT NULL AND uploaded_at IS NOT NULL)),
    CHECK (state <> 'retired' OR (retired_at IS NOT NULL AND retired_reason IS NOT NULL AND purge_after IS NOT NULL)),
    CHECK (state = 'receiving' OR reserved_bytes = 0),
    CHECK (state = 'stored' OR pledged_to IS NULL),
    CHECK (state = 'retired' OR (retired_at IS NULL AND retired_reason IS NULL AND purge_started_at IS NULL))
);
CREATE INDEX backups_of_system ON backups (system_id, seq);
CREATE INDEX backups_to_purge ON backups (purge_after) WHERE state = 'retired';
CREATE INDEX backups_receiving ON backups (writer) WHERE state = 'receiving';
COMMENT ON TABLE backups IS 'One row per backup, from its admission until its object is gone. The API shows only the stored ones.';
COMMENT ON COLUMN backups.id IS 'UUIDv7; with the extension it is the id that the API shows.';
COMMENT ON COLUMN backups.system_id IS 'The system that sent it.';
COMMENT ON COLUMN backups.org_id IS 'The organization in whose books it stands.';
COMMENT ON COLUMN backups.object_key IS 'Where the ciphertext lies in the object store.';
COMMENT ON COLUMN backups.extension IS 'Extension of the API''s id.';
COMMENT ON COLUMN backups.state IS 'receiving: being uploaded; stored: kept; retired: pruned, deleted or failed, its object on the way out.';
COMMENT ON COLUMN backups.filename IS 'What the appliance called it (X-Filename), made safe.';
COMMENT ON COLUMN backups.mimetype IS 'Content-Type that the appliance sent.';
COMMENT ON COLUMN backups.writer IS 'The service process that received it (writers.process_id).';
COMMENT ON COLUMN backups.remote_addr IS 'Address it was sent from.';
COMMENT ON COLUMN backups.admitted_at IS 'When the upload was let in (before its body was read).';
COMMENT ON COLUMN backups.window_entry IS 'Its entry in systems.recent_admissions, given back when the upload fails for our fault.';
COMMENT ON COLUMN backups.want_bytes IS 'receiving: declared length, or what has been granted so far to a body of unknown length.';
COMMENT ON COLUMN backups.reserved_bytes IS 'receiving: max(0, want_bytes - the bytes pledged to it), held from the quota.';
COMMENT ON COLUMN backups.pledged_to IS 'stored: the upload that will replace it; its bytes count as free for that upload alone.';
COMMENT ON COLUMN backups.seq IS 'Order of commits within the system; retention sorts by it.';
COMMENT ON COLUMN backups.size_bytes IS 'Size of the stored object.';
COMMENT ON COLUMN backups.sha256 IS 'SHA-256 of the stored object, computed while it was received.';
COMMENT ON COLUMN backups.encrypted IS 'Whether it looks like an OpenPGP encrypted message.';
COMMENT ON COLUMN backups.damage IS 'Null: nothing known; damaged or missing: what was found wrong with the stored object.';
COMMENT ON COLUMN backups.uploaded_at IS 'When it was committed as stored.';
COMMENT ON COLUMN backups.retired_at IS 'When it left the books.';
COMMENT ON COLUMN backups.retired_reason IS 'slots, size: pruned by retention; system: deleted by the appliance; operator: deleted by a person; failed: never completed.';
COMMENT ON COLUMN backups.purge_after IS 'From when on the object is deleted for good and the row dropped.';
COMMENT ON COLUMN backups.purge_started_at IS 'Set before the purger touches the object.';

CREATE TABLE backup_requests (
    id uuid PRIMARY KEY,
    system_id uuid NOT NULL REFERENCES systems (id) ON DELETE CASCADE,
    org_id text NOT NULL REFERENCES organizations (id),
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'seen', 'fulfilled', 'expired', 'cancelled')),
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    backup_id uuid,
    CHECK (state <> 'fulfilled' OR backup_id IS NOT NULL)
);
CREATE INDEX backup_requests_of_system ON backup_requests (system_id, state);
COMMENT ON TABLE backup_requests IS 'Backups that a portal or an operator asked an appliance for.';
COMMENT ON COLUMN backup_requests.id IS 'Identity of the request.';
COMMENT ON COLUMN backup_requests.system_id IS 'The system that shall send a backup.';
COMMENT ON COLUMN backup_requests.org_id IS 'Its organization.';
COMMENT ON COLUMN backup_requests.state IS 'pending, seen by the appliance, fulfilled by a stored backup, expired or cancelled.';
COMMENT ON COLUMN backup_requests.requested_by IS 'Who asked.';
COMMENT ON COLUMN backup_requests.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN backup_requests.expires_at IS 'After this it is no longer shown to the appliance.';
COMMENT ON COLUMN backup_requests.backup_id IS 'The backup that fulfilled it.';

CREATE TABLE backup_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL CHECK (kind <> ''),
    org_id text NOT NULL,
    system_id uuid,
    backup_id uuid,
    actor text NOT NULL,
    remote_addr inet,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX backup_events_of_system ON backup_events (system_id, kind, at DESC);
CREATE INDEX backup_events_at ON backup_events (at);
COMMENT ON TABLE backup_events IS 'What happened, for people. No foreign keys: history survives what it tells of.';
COMMENT ON COLUMN backup_events.id IS 'Running number.';
COMMENT ON COLUMN backup_events.at IS 'When it happened.';
COMMENT ON COLUMN backup_events.kind IS 'uploaded, downloaded, deleted, pruned, over_size_cap, refused, system_added, secret_rotated, suspended, resumed, destroyed ...';
COMMENT ON COLUMN backup_events.org_id IS 'The organization at that time.';
COMMENT ON COLUMN backup_events.system_id IS 'The system, if it was about one.';
COMMENT ON COLUMN backup_events.backup_id IS 'The backup, if it was about one.';
COMMENT ON COLUMN backup_events.actor IS 'By whom: system (the appliance), operator (command line), service, or the subject of a token.';
COMMENT ON COLUMN backup_events.remote_addr IS 'From where, if it came over the network.';
COMMENT ON COLUMN backup_events.detail IS 'Facts of that kind of event, such as a reason or a size in bytes.';

CREATE TABLE service_defaults (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    org_quota_bytes bigint NOT NULL CHECK (org_quota_bytes >= 0)
);
INSERT INTO service_defaults (org_quota_bytes) VALUES (107374182400);
COMMENT ON TABLE service_defaults IS 'Settings that the views need; written by the service when it starts. One row.';
COMMENT ON COLUMN service_defaults.only_row IS 'Keeps it at one row.';
COMMENT ON COLUMN service_defaults.org_quota_bytes IS 'BACKUP_MAX_SIZE_PER_ORG as the service was last started with; 0: unlimited.';

CREATE VIEW support_systems AS
SELECT
    s.org_id,
    o.name AS org_name,
    s.id AS system_id,
    s.system_key,
    s.name AS system_name,
    kept.backups_kept,
    kept.bytes_kept,
    kept.last_backup_at,
    clock_timestamp() - kept.last_backup_at AS last_backup_age,
    EXISTS (
        SELECT 1 FROM backup_requests r
        WHERE r.system_id = s.id AND r.state IN ('pending', 'seen') AND r.expires_at > clock_timestamp()
    ) AS pending_request,
    refusal.at AS last_refusal_at,
    refusal.reason AS last_refusal_reason,
    CASE
        WHEN kept.last_backup_at IS NULL THEN 'never'
        WHEN clock_timestamp() - kept.last_backup_at <= s.backup_period THEN 'fresh'
        ELSE 'late'
    END AS freshness
FROM systems s
JOIN organizations o ON o.id = s.org_id
CROSS JOIN LATERAL (
    SELECT count(*) AS backups_kept, coalesce(sum(b.size_bytes), 0)::bigint AS bytes_kept,
        max(b.uploaded_at) AS last_backup_at
    FROM backups b WHERE b.system_id = s.id AND b.state = 'stored'
) kept
LEFT JOIN LATERAL (
    SELECT e.at, e.detail ->> 'reason' AS reason
    FROM backup_events e WHERE e.system_id = s.id AND e.kind = 'refused'
    ORDER BY e.at DESC LIMIT 1
) refusal ON true;
COMMENT ON VIEW support_systems IS 'One line per system: what it has, how old the newest is, and what it was last refused for.';
COMMENT ON COLUMN support_systems.org_id IS 'The organization.';
COMMENT ON COLUMN support_systems.org_name IS 'Its name.';
COMMENT ON COLUMN support_systems.system_id IS 'The system.';
COMMENT ON COLUMN support_systems.system_key IS 'Its user name.';
COMMENT ON COLUMN support_systems.system_name IS 'Its name.';
COMMENT ON COLUMN support_systems.backups_kept IS 'How many backups can be restored.';
COMMENT ON COLUMN support_systems.bytes_kept IS 'How many bytes they take.';
COMMENT ON COLUMN support_systems.last_backup_at IS 'When the newest was stored.';
COMMENT ON COLUMN support_systems.last_backup_age IS 'How long ago that is.';
COMMENT ON COLUMN support_systems.pending_request IS 'Whether a requested backup is still awaited.';
COMMENT ON COLUMN support_systems.last_refusal_at IS 'When an upload was last refused.';
COMMENT ON COLUMN support_systems.last_refusal_reason IS 'Why: rate, size, quota, digest or timeout.';
COMMENT ON COLUMN support_systems.freshness IS 'never: no backup; fresh: the newest is within systems.backup_period; late: it is older.';

CREATE VIEW support_orgs AS
SELECT
    o.id AS org_id,
    o.name AS org_name,
    (SELECT count(*) FROM systems s WHERE s.org_id = o.id) AS systems,
    u.stored_bytes AS used_bytes,
    u.reserved_bytes,
    nullif(coalesce(o.quota_bytes, d.org_quota_bytes), 0) AS quota_bytes,
    round(100.0 * (u.stored_bytes + u.reserved_bytes)
        / nullif(coalesce(o.quota_bytes, d.org_quota_bytes), 0), 1) AS percent
FROM organizations o
JOIN org_usage u ON u.org_id = o.id
CROSS JOIN service_defaults d;
COMMENT ON VIEW support_orgs IS 'One line per organization: what of its quota is used.';
COMMENT ON COLUMN support_orgs.org_id IS 'The organization.';
COMMENT ON COLUMN support_orgs.org_name IS 'Its name.';
COMMENT ON COLUMN support_orgs.systems IS 'How many systems it has.';
COMMENT ON COLUMN support_orgs.used_bytes IS 'Bytes of its stored backups.';
COMMENT ON COLUMN support_orgs.reserved_bytes IS 'Bytes held for uploads under way.';
COMMENT ON COLUMN support_orgs.quota_bytes IS 'Its quota, own or default; null: unlimited.';
COMMENT ON COLUMN support_orgs.percent IS 'Used and reserved of the quota; null: unlimited.';

CREATE VIEW support_recent_events AS
SELECT e.at, e.kind, e.org_id, s.system_key, s.name AS system_name, e.system_id, e.backup_id, e.actor,
    host(e.remote_addr) AS remote_addr, e.detail
FROM backup_events e
LEFT JOIN systems s ON s.id = e.system_id
WHERE e.at > clock_timestamp() - interval '7 days'
ORDER BY e.at DESC;
COMMENT ON VIEW support_recent_events IS 'What happened in the last seven days, newest first.';
COMMENT ON COLUMN support_recent_events.at IS 'When.';
COMMENT ON COLUMN support_recent_events.kind IS 'What.';
COMMENT ON COLUMN support_recent_events.org_id IS 'The organization.';
COMMENT ON COLUMN support_recent_events.system_key IS 'User name of the system; null if it is gone.';
COMMENT ON COLUMN support_recent_events.system_name IS 'Name of the system; null if it is gone.';
COMMENT ON COLUMN support_recent_events.system_id IS 'The system.';
COMMENT ON COLUMN support_recent_events.backup_id IS 'The backup.';
COMMENT ON COLUMN support_recent_events.actor IS 'By whom.';
COMMENT ON COLUMN support_recent_events.remote_addr IS 'From where.';
COMMENT ON COLUMN support_recent_events.detail IS 'Facts of that kind of event.';

-- The role is cluster-wide and made by deploy/postgres/support.sql, which may have run before.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'support') THEN
        GRANT SELECT ON support_systems, support_orgs, support_recent_events TO support;
    END IF;
END
$$;

-- The fleet: facts about each system in its own row, the one function that makes a status of them, periods, and the tree of
-- organizations.
--
-- The table `systems` is written anew once, for which uploads wait: about a second for 100,000 systems. The facts of the
-- existing systems are filled in afterwards, a thousand systems at a time (src/db/system_facts).

-- Organizations: the tree, and the periods that their systems inherit.

ALTER TABLE organizations
    ADD COLUMN parent_id text REFERENCES organizations (id),
    ADD COLUMN backup_period interval CHECK (backup_period > '0'),
    ADD COLUMN contact_period interval CHECK (contact_period > '0'),
    ADD COLUMN periods_pending boolean NOT NULL DEFAULT false,
    ADD CHECK (parent_id <> id);
CREATE INDEX organizations_with_pending_periods ON organizations (id) WHERE periods_pending;
CREATE INDEX organizations_of_parent ON organizations (parent_id) WHERE parent_id IS NOT NULL;
COMMENT ON COLUMN organizations.parent_id IS 'The organization above it; null: it is at the top. A token of an organization is valid for all organizations below it.';
COMMENT ON COLUMN organizations.backup_period IS 'How old the newest backup of its systems may become; null: the default of the service.';
COMMENT ON COLUMN organizations.contact_period IS 'After how long without contact its systems are silent; null: never.';
COMMENT ON COLUMN organizations.periods_pending IS 'Whether a change of its periods has not reached all of its systems yet: if they are many, the service does that, some at a time.';

CREATE FUNCTION org_and_below(top text) RETURNS SETOF text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH RECURSIVE tree (id, depth) AS (
        SELECT o.id, 1 FROM organizations o WHERE o.id = top
        -- The depth ends the search even if somebody has made a circle.
        UNION ALL SELECT o.id, tree.depth + 1 FROM tree JOIN organizations o ON o.parent_id = tree.id WHERE tree.depth < 64
    )
    SELECT id FROM tree
$$;
COMMENT ON FUNCTION org_and_below IS 'Returns an organization and all below it.';

CREATE FUNCTION org_and_above(org text) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH RECURSIVE path (id, parent_id, depth) AS (
        SELECT o.id, o.parent_id, 1 FROM organizations o WHERE o.id = org
        UNION ALL SELECT o.id, o.parent_id, path.depth + 1 FROM path JOIN organizations o ON o.id = path.parent_id
            WHERE path.depth < 64
    )
    SELECT coalesce(array_agg(id ORDER BY depth), '{}') FROM path
$$;
COMMENT ON FUNCTION org_and_above IS 'Returns an organization and all above it: whose tokens may see what belongs to it.';

ALTER TABLE service_defaults
    ADD COLUMN backup_period interval NOT NULL DEFAULT '26 hours' CHECK (backup_period > '0'),
    ADD COLUMN backup_period_applied interval NOT NULL DEFAULT '26 hours',
    ADD COLUMN facts_missing boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN service_defaults.backup_period IS 'BACKUP_PERIOD as the service was last started with.';
COMMENT ON COLUMN service_defaults.backup_period_applied IS 'The value of backup_period that every system which inherits it has in backup_period_in_force.';
COMMENT ON COLUMN service_defaults.facts_missing IS 'Whether systems from before the upgrade to 0.2.0 do not have their facts yet (last_backup_at and the like).';
UPDATE service_defaults SET facts_missing = EXISTS (SELECT FROM systems);

-- Systems.

-- The view is made again below; an index takes the place of this one in the next migration.
DROP VIEW support_systems;
DROP INDEX systems_org_id;

ALTER TABLE systems
    ALTER COLUMN backup_period DROP NOT NULL,
    ALTER COLUMN backup_period DROP DEFAULT,
    -- Until now nothing could set another period than the default, except SQL.
    ALTER COLUMN backup_period TYPE interval USING nullif(backup_period, interval '26 hours'),
    ADD COLUMN contact_period interval CHECK (contact_period > '0'),
    ADD COLUMN backup_period_in_force interval NOT NULL DEFAULT '26 hours' CHECK (backup_period_in_force > '0'),
    ADD COLUMN contact_period_in_force interval CHECK (contact_period_in_force > '0'),
    ADD COLUMN state_since timestamptz,
    ADD COLUMN state_by text,
    ADD COLUMN previous_secret_sha256 bytea CHECK (octet_length(previous_secret_sha256) = 32),
    ADD COLUMN previous_secret_until timestamptz,
    ADD COLUMN last_seen_at timestamptz,
    ADD COLUMN last_seen_from inet,
    ADD COLUMN last_backup_id uuid,
    ADD COLUMN last_backup_at timestamptz,
    ADD COLUMN backups_kept bigint NOT NULL DEFAULT 0 CHECK (backups_kept >= 0),
    ADD COLUMN bytes_kept bigint NOT NULL DEFAULT 0 CHECK (bytes_kept >= 0),
    ADD COLUMN last_backup_damage text CHECK (last_backup_damage IN ('damaged', 'missing')),
    ADD COLUMN whole_backup_id uuid,
    ADD COLUMN whole_backup_at timestamptz,
    ADD COLUMN refused_at timestamptz,
    ADD COLUMN refused_reason text,
    ADD COLUMN refused_since timestamptz,
    ADD COLUMN refused_upload_at timestamptz,
    ADD COLUMN last_refusal_at timestamptz,
    ADD COLUMN last_refusal_reason text,
    ADD COLUMN last_credential_refusal_at timestamptz,
    ADD CHECK ((last_backup_id IS NULL) = (backups_kept = 0) AND (last_backup_at IS NULL) = (backups_kept = 0)),
    ADD CHECK ((refused_at IS NULL) = (refused_reason IS NULL) AND (refused_at IS NULL) = (refused_since IS NULL)
        AND (refused_at IS NULL) = (refused_upload_at IS NULL)),
    ADD CHECK ((previous_secret_sha256 IS NULL) = (previous_secret_until IS NULL)),
    ADD COLUMN protected_until timestamptz GENERATED ALWAYS AS (
        CASE WHEN last_backup_at IS NOT NULL THEN (greatest(last_backup_at, unchanged_at) AT TIME ZONE 'UTC'
            + backup_period_in_force) AT TIME ZONE 'UTC' END) STORED,
    ADD COLUMN standing text NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN state <> 'active' THEN 'suspended'
            WHEN last_backup_damage IS NOT NULL THEN 'damaged'
            WHEN refused_at IS NOT NULL THEN 'refused'
            WHEN last_backup_at IS NULL THEN 'never'
            ELSE 'stored'
        END) STORED;
UPDATE systems SET backup_period_in_force = backup_period WHERE backup_period IS NOT NULL;

COMMENT ON COLUMN systems.backup_period IS 'Its own period, within which a backup or the report of an unchanged configuration has to arrive; null: that of its organization, or the default.';
COMMENT ON COLUMN systems.contact_period IS 'Its own period, within which it has to be heard of; null: that of its organization, or none.';
COMMENT ON COLUMN systems.backup_period_in_force IS 'The period that applies: its own, that of its organization, or the default of the service (BACKUP_PERIOD).';
COMMENT ON COLUMN systems.contact_period_in_force IS 'The contact period that applies; null: none.';
COMMENT ON COLUMN systems.state_since IS 'When state was last changed; null: when the system was added, or by a version before 0.2.0.';
COMMENT ON COLUMN systems.state_by IS 'Who has changed state: operator (command line), or the subject of a token.';
COMMENT ON COLUMN systems.previous_secret_sha256 IS 'SHA-256 of the secret before the last rotation, which is valid until previous_secret_until.';
COMMENT ON COLUMN systems.previous_secret_until IS 'When the secret before the last rotation ends.';
COMMENT ON COLUMN systems.last_seen_at IS 'When it was last heard of, with a valid credential (to the minute).';
COMMENT ON COLUMN systems.last_seen_from IS 'From which address.';
COMMENT ON COLUMN systems.last_backup_id IS 'Its newest stored backup (the highest seq).';
COMMENT ON COLUMN systems.last_backup_at IS 'When its newest stored backup was stored.';
COMMENT ON COLUMN systems.backups_kept IS 'How many stored backups it has.';
COMMENT ON COLUMN systems.bytes_kept IS 'The sum of their sizes in bytes.';
COMMENT ON COLUMN systems.last_backup_damage IS 'backups.damage of its newest stored backup.';
COMMENT ON COLUMN systems.whole_backup_id IS 'Its newest stored backup without damage.';
COMMENT ON COLUMN systems.whole_backup_at IS 'When that one was stored.';
COMMENT ON COLUMN systems.refused_at IS 'When an upload was last refused or failed that was sent after the newest stored one; null: none was.';
COMMENT ON COLUMN systems.refused_reason IS 'Why: rate, size, quota, digest, policy, timeout, interrupted, unavailable, damaged (by the client), malformed, empty or suspended (the system was).';
COMMENT ON COLUMN systems.refused_since IS 'When the first of these uploads was refused.';
COMMENT ON COLUMN systems.refused_upload_at IS 'When the last of these uploads was sent: one that is admitted later, and stored, ends the refusal.';
COMMENT ON COLUMN systems.last_refusal_at IS 'When an upload was last refused by a rule, whatever has been stored since.';
COMMENT ON COLUMN systems.last_refusal_reason IS 'Why.';
COMMENT ON COLUMN systems.last_credential_refusal_at IS 'When its credential was last refused.';
COMMENT ON COLUMN systems.protected_until IS 'Until when the newest backup, or the report of an unchanged configuration, protects it: the later of both, and backup_period_in_force.';
COMMENT ON COLUMN systems.standing IS 'The part of its status that the clock does not change: suspended, damaged, refused, never or stored. system_status() makes the status of it.';

-- The periods in force follow the periods that are set, whoever sets them.
CREATE FUNCTION set_periods_in_force() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    org organizations;
BEGIN
    -- The lock waits for a change of the organization's periods, which then finds this row.
    SELECT * INTO org FROM organizations WHERE id = NEW.org_id FOR SHARE;
    NEW.backup_period_in_force := coalesce(NEW.backup_period, org.backup_period, (SELECT d.backup_period FROM service_defaults d));
    NEW.contact_period_in_force := coalesce(NEW.contact_period, org.contact_period);
    RETURN NEW;
END
$$;
CREATE TRIGGER systems_periods BEFORE INSERT OR UPDATE OF backup_period, contact_period, org_id ON systems
    FOR EACH ROW EXECUTE FUNCTION set_periods_in_force();

-- A change that concerns many systems is passed on by the service (src/tasks/periods.rs), a thousand at a time: the uploads of
-- the organization wait for whoever holds its systems.
CREATE FUNCTION note_pending_periods() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.periods_pending := NEW.periods_pending
        OR (SELECT count(*) > 1000 FROM (SELECT FROM systems WHERE org_id = NEW.id LIMIT 1001) AS many);
    RETURN NEW;
END
$$;
CREATE TRIGGER organizations_periods_pending BEFORE UPDATE OF backup_period, contact_period ON organizations
    FOR EACH ROW WHEN (OLD.backup_period IS DISTINCT FROM NEW.backup_period
        OR OLD.contact_period IS DISTINCT FROM NEW.contact_period)
    EXECUTE FUNCTION note_pending_periods();

CREATE FUNCTION pass_on_periods() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM systems WHERE org_id = NEW.id ORDER BY id FOR NO KEY UPDATE;
    UPDATE systems SET backup_period = backup_period WHERE org_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER organizations_periods AFTER UPDATE OF backup_period, contact_period ON organizations
    FOR EACH ROW WHEN (NOT NEW.periods_pending AND (OLD.backup_period IS DISTINCT FROM NEW.backup_period
        OR OLD.contact_period IS DISTINCT FROM NEW.contact_period))
    EXECUTE FUNCTION pass_on_periods();

-- A secret that is replaced without a word about the one before it (by a version before 0.2.0, or by SQL) ends both.
CREATE FUNCTION end_previous_secret() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.previous_secret_sha256 := NULL;
    NEW.previous_secret_until := NULL;
    RETURN NEW;
END
$$;
CREATE TRIGGER systems_secret BEFORE UPDATE OF secret_sha256 ON systems
    FOR EACH ROW WHEN (OLD.secret_sha256 <> NEW.secret_sha256 AND OLD.previous_secret_sha256 IS NOT NULL
        AND OLD.previous_secret_sha256 = NEW.previous_secret_sha256)
    EXECUTE FUNCTION end_previous_secret();

-- The facts that follow from a system's rows in `backups`.
CREATE VIEW facts_of_backups AS
SELECT b.system_id, count(*) AS backups_kept, sum(b.size_bytes)::bigint AS bytes_kept,
    (array_agg(b.id ORDER BY b.seq DESC))[1] AS last_backup_id,
    (array_agg(b.uploaded_at ORDER BY b.seq DESC))[1] AS last_backup_at,
    (array_agg(b.damage ORDER BY b.seq DESC))[1] AS last_backup_damage,
    max(b.admitted_at) AS last_admitted_at,
    (array_agg(b.id ORDER BY b.seq DESC) FILTER (WHERE b.damage IS NULL))[1] AS whole_backup_id,
    (array_agg(b.uploaded_at ORDER BY b.seq DESC) FILTER (WHERE b.damage IS NULL))[1] AS whole_backup_at
FROM backups b WHERE b.state = 'stored' GROUP BY b.system_id;
COMMENT ON VIEW facts_of_backups IS 'What the columns of systems say about stored backups, worked out from the rows. strongroom audit compares both.';
COMMENT ON COLUMN facts_of_backups.system_id IS 'The system.';
COMMENT ON COLUMN facts_of_backups.backups_kept IS 'How many stored backups it has.';
COMMENT ON COLUMN facts_of_backups.bytes_kept IS 'The sum of their sizes in bytes.';
COMMENT ON COLUMN facts_of_backups.last_backup_id IS 'The newest of them (the highest seq).';
COMMENT ON COLUMN facts_of_backups.last_backup_at IS 'When that one was stored.';
COMMENT ON COLUMN facts_of_backups.last_backup_damage IS 'Its damage.';
COMMENT ON COLUMN facts_of_backups.last_admitted_at IS 'When the one was admitted that was sent last; it need not be the newest.';
COMMENT ON COLUMN facts_of_backups.whole_backup_id IS 'The newest one without damage.';
COMMENT ON COLUMN facts_of_backups.whole_backup_at IS 'When that one was stored.';

CREATE FUNCTION refresh_facts(target uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    facts facts_of_backups;
BEGIN
    PERFORM FROM systems WHERE id = target FOR NO KEY UPDATE;
    SELECT * INTO facts FROM facts_of_backups WHERE system_id = target;
    UPDATE systems SET
        last_backup_id = facts.last_backup_id,
        last_backup_at = facts.last_backup_at,
        backups_kept = coalesce(facts.backups_kept, 0),
        bytes_kept = coalesce(facts.bytes_kept, 0),
        last_backup_damage = facts.last_backup_damage,
        whole_backup_id = facts.whole_backup_id,
        whole_backup_at = facts.whole_backup_at,
        -- What is unchanged was deleted.
        unchanged_at = CASE WHEN last_seq = (SELECT b.seq FROM backups b WHERE b.id = facts.last_backup_id) THEN unchanged_at END
    WHERE id = target;
    UPDATE systems SET refused_at = NULL, refused_reason = NULL, refused_since = NULL, refused_upload_at = NULL
    WHERE id = target AND refused_upload_at < facts.last_admitted_at;
END
$$;
COMMENT ON FUNCTION refresh_facts IS 'Writes the facts of one system that follow from its rows in backups.';

-- The service writes these facts itself, together with the rows, and says so in its sessions (strongroom.writes_facts). The
-- triggers are for everybody else: processes of a version before 0.2.0, and SQL that marks a backup as damaged.
CREATE FUNCTION refresh_facts_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refresh_facts(coalesce(NEW.system_id, OLD.system_id));
    RETURN NULL;
END
$$;
CREATE TRIGGER backups_facts_insert AFTER INSERT ON backups
    FOR EACH ROW WHEN (NEW.state = 'stored') EXECUTE FUNCTION refresh_facts_of_row();
CREATE TRIGGER backups_facts_delete AFTER DELETE ON backups
    FOR EACH ROW WHEN (OLD.state = 'stored') EXECUTE FUNCTION refresh_facts_of_row();
CREATE TRIGGER backups_facts_change AFTER UPDATE OF damage, size_bytes, seq, uploaded_at ON backups
    FOR EACH ROW WHEN (OLD.state = 'stored' AND NEW.state = 'stored'
        AND (OLD.damage, OLD.size_bytes, OLD.seq, OLD.uploaded_at)
            IS DISTINCT FROM (NEW.damage, NEW.size_bytes, NEW.seq, NEW.uploaded_at))
    EXECUTE FUNCTION refresh_facts_of_row();
CREATE TRIGGER backups_facts_update AFTER UPDATE ON backups
    FOR EACH ROW WHEN ((OLD.state = 'stored') <> (NEW.state = 'stored')
        AND current_setting('strongroom.writes_facts', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION refresh_facts_of_row();

-- The status: the only place that knows what it depends on.

CREATE FUNCTION utc_minute(at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
$$;
COMMENT ON FUNCTION utc_minute IS 'Returns a time for people.';

CREATE FUNCTION system_status(s systems, at timestamptz)
RETURNS TABLE (status text, reason text, since timestamptz, changes_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT found.status,
        CASE found.status
            WHEN 'suspended' THEN
                CASE s.state WHEN 'destroying' THEN 'it is being destroyed' ELSE 'it is suspended' END
                || coalesce(', by ' || s.state_by, '') || coalesce(', since ' || utc_minute(coalesce(s.state_since, s.suspended_at)), '')
            WHEN 'damaged' THEN
                'the newest backup, ' || s.last_backup_id || ' of ' || utc_minute(s.last_backup_at) || ', is ' || s.last_backup_damage
                || coalesce('; the newest whole one is ' || s.whole_backup_id || ' of ' || utc_minute(s.whole_backup_at),
                    '; none of the others is whole')
            WHEN 'refused' THEN
                s.refused_reason || ': ' || CASE s.refused_reason
                    WHEN 'rate' THEN 'an upload was over the rate limit'
                    WHEN 'size' THEN 'an upload was larger than permitted'
                    WHEN 'quota' THEN 'the quota of the organization had no space for an upload'
                    WHEN 'digest' THEN 'an upload did not have the digest that was sent with it'
                    WHEN 'policy' THEN 'an upload was against a policy of the organization'
                    WHEN 'timeout' THEN 'an upload was sent too slowly'
                    WHEN 'interrupted' THEN 'the connection of an upload broke off'
                    WHEN 'unavailable' THEN 'the service could not store an upload'
                    WHEN 'damaged' THEN 'the client had damaged the file of an upload'
                    WHEN 'malformed' THEN 'the request of an upload was malformed'
                    WHEN 'empty' THEN 'an upload had no bytes'
                    WHEN 'suspended' THEN 'an upload came while the system was suspended'
                    ELSE 'an upload was refused'
                END || ', ' || utc_minute(s.refused_at) || '; nothing newer is stored'
            WHEN 'never' THEN
                CASE WHEN s.last_seq = 0 THEN 'nothing was ever stored; added ' || utc_minute(s.created_at)
                    ELSE 'nothing is stored any more: every backup was deleted' END
            WHEN 'silent' THEN
                CASE WHEN s.last_seen_at IS NULL THEN 'never heard of; added ' || utc_minute(s.created_at)
                    ELSE 'not heard of since ' || utc_minute(s.last_seen_at) || coalesce(', from ' || host(s.last_seen_from), '') END
            WHEN 'late' THEN 'a backup was due ' || utc_minute(s.protected_until)
            ELSE 'protected until ' || utc_minute(s.protected_until)
        END,
        CASE found.status
            WHEN 'suspended' THEN coalesce(s.state_since, s.suspended_at)
            WHEN 'damaged' THEN s.last_backup_at
            WHEN 'refused' THEN s.refused_since
            WHEN 'never' THEN s.created_at
            WHEN 'silent' THEN found.silent_from
            WHEN 'late' THEN s.protected_until
            ELSE s.last_backup_at
        END,
        CASE
            WHEN found.refused_from > at AND found.status IN ('never', 'silent', 'late', 'fresh')
                THEN least(found.refused_from, CASE found.status WHEN 'fresh' THEN least(s.protected_until, found.silent_from) END)
            WHEN found.status = 'fresh' THEN least(s.protected_until, found.silent_from)
            WHEN found.status = 'late' THEN found.silent_from
        END
    FROM (
        SELECT times.*, CASE
            WHEN s.standing IN ('suspended', 'damaged') THEN s.standing
            WHEN times.refused_from <= at THEN 'refused'
            WHEN s.last_backup_at IS NULL THEN 'never'
            WHEN times.silent_from < at THEN 'silent'
            WHEN s.protected_until < at THEN 'late'
            ELSE 'fresh'
        END AS status
        FROM (
            SELECT
                -- An upload that breaks off is usually sent again at once, and that is no event for anybody.
                s.refused_since + CASE s.refused_reason WHEN 'interrupted' THEN interval '1 minute' ELSE '0' END AS refused_from,
                coalesce(s.last_seen_at, s.created_at) + s.contact_period_in_force AS silent_from
        ) AS times
    ) AS found
$$;
COMMENT ON FUNCTION system_status IS 'Returns the status of a system at a time, its reason for people, since when, and when time alone will change it (null: it will not).';

CREATE VIEW support_systems AS
SELECT
    s.org_id,
    o.name AS org_name,
    s.id AS system_id,
    s.system_key,
    s.name AS system_name,
    s.backups_kept,
    s.bytes_kept,
    s.last_backup_at,
    statement_timestamp() - s.last_backup_at AS last_backup_age,
    EXISTS (
        SELECT 1 FROM backup_requests r
        WHERE r.system_id = s.id AND r.state IN ('pending', 'seen') AND r.expires_at > statement_timestamp()
    ) AS pending_request,
    s.last_refusal_at,
    s.last_refusal_reason AS last_refusal_reason,
    CASE
        WHEN s.last_backup_at IS NULL THEN 'never'
        WHEN s.protected_until >= statement_timestamp() THEN 'fresh'
        ELSE 'late'
    END AS freshness,
    s.unchanged_at AS last_unchanged_at,
    s.last_credential_refusal_at,
    now.status,
    now.reason AS status_reason,
    now.since AS status_since,
    now.changes_at,
    s.last_seen_at,
    s.protected_until
FROM systems s
JOIN organizations o ON o.id = s.org_id
CROSS JOIN LATERAL system_status(s, statement_timestamp()) AS now;
COMMENT ON VIEW support_systems IS 'One line per system: whether it is protected, why not, and what it has.';
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
COMMENT ON COLUMN support_systems.last_refusal_reason IS 'Why: rate, size, quota, digest, damaged (by the client, on its way), timeout, malformed, interrupted, unavailable, empty or suspended.';
COMMENT ON COLUMN support_systems.last_unchanged_at IS 'When the appliance last said that its configuration has not changed.';
COMMENT ON COLUMN support_systems.last_credential_refusal_at IS 'When its credential was last refused: a wrong secret, or the right one while it was suspended.';
COMMENT ON COLUMN support_systems.freshness IS 'never: no backup; fresh: within its period the newest was stored, or the appliance said that nothing has changed; late: neither. status knows more.';
COMMENT ON COLUMN support_systems.status IS 'suspended, damaged, refused, never, silent, late or fresh: the first that applies. Only fresh is protected.';
COMMENT ON COLUMN support_systems.status_reason IS 'Why, for people.';
COMMENT ON COLUMN support_systems.status_since IS 'Since when.';
COMMENT ON COLUMN support_systems.changes_at IS 'When time alone will change it; null: only an upload, or a person, will.';
COMMENT ON COLUMN support_systems.last_seen_at IS 'When it was last heard of (to the minute).';
COMMENT ON COLUMN support_systems.protected_until IS 'Until when the newest backup, or the report of an unchanged configuration, protects it.';

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'support') THEN
        GRANT SELECT ON support_systems TO support;
        GRANT SELECT (contact_period, backup_period_in_force, contact_period_in_force, state_since, state_by,
            previous_secret_until, last_seen_at, last_seen_from, last_backup_id, last_backup_at, backups_kept, bytes_kept,
            last_backup_damage, whole_backup_id, whole_backup_at, refused_at, refused_reason, refused_since,
            refused_upload_at, last_refusal_at, last_refusal_reason, last_credential_refusal_at, protected_until, standing)
            ON systems TO support;
    END IF;
END
$$;

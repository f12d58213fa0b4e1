-- What each organization has used on each day (UTC): for bills, and for trends. A task adds a day up once it is over.

CREATE TABLE usage_days_added (
    day date PRIMARY KEY,
    added_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    measured boolean NOT NULL,
    rebuilt_at timestamptz
);
COMMENT ON TABLE usage_days_added IS 'The days that were added up into usage_days.';
COMMENT ON COLUMN usage_days_added.day IS 'The day, in UTC.';
COMMENT ON COLUMN usage_days_added.added_at IS 'When it was added up.';
COMMENT ON COLUMN usage_days_added.measured IS 'Whether it was added up within an hour after its end, so that bytes and systems could be measured. Of an older day only the events are known.';
COMMENT ON COLUMN usage_days_added.rebuilt_at IS 'When what comes from events was last added up again (strongroom usage rebuild).';

CREATE TABLE usage_days (
    day date NOT NULL,
    org_id text NOT NULL,
    uploads bigint NOT NULL DEFAULT 0 CHECK (uploads >= 0),
    refusals bigint NOT NULL DEFAULT 0 CHECK (refusals >= 0),
    failures bigint NOT NULL DEFAULT 0 CHECK (failures >= 0),
    downloads bigint NOT NULL DEFAULT 0 CHECK (downloads >= 0),
    bytes_in bigint NOT NULL DEFAULT 0 CHECK (bytes_in >= 0),
    bytes_kept bigint CHECK (bytes_kept >= 0),
    systems integer,
    suspended integer,
    damaged integer,
    refused integer,
    never integer,
    silent integer,
    late integer,
    fresh integer,
    PRIMARY KEY (day, org_id),
    CHECK (systems = suspended + damaged + refused + never + silent + late + fresh),
    CHECK ((bytes_kept IS NULL) = (systems IS NULL))
);
CREATE INDEX usage_days_of_org ON usage_days (org_id, day);
COMMENT ON TABLE usage_days IS 'What each organization has used on each day. No foreign keys: bills survive what they are about.';
COMMENT ON COLUMN usage_days.day IS 'The day, in UTC.';
COMMENT ON COLUMN usage_days.org_id IS 'The organization, without those below it.';
COMMENT ON COLUMN usage_days.uploads IS 'Uploads that were stored.';
COMMENT ON COLUMN usage_days.refusals IS 'Uploads that a rule has refused, as the history has them: at most one a minute for each system and reason.';
COMMENT ON COLUMN usage_days.failures IS 'Uploads that failed otherwise, as the history has them.';
COMMENT ON COLUMN usage_days.downloads IS 'Downloads and download links, as the history has them.';
COMMENT ON COLUMN usage_days.bytes_in IS 'Bytes of the uploads that were stored.';
COMMENT ON COLUMN usage_days.bytes_kept IS 'Bytes of its stored backups when the day was added up, shortly after its end; null: it was added up later.';
COMMENT ON COLUMN usage_days.systems IS 'Its systems at that moment.';
COMMENT ON COLUMN usage_days.suspended IS 'How many of them were suspended.';
COMMENT ON COLUMN usage_days.damaged IS 'How many had a damaged newest backup.';
COMMENT ON COLUMN usage_days.refused IS 'How many had a refused upload after their newest backup.';
COMMENT ON COLUMN usage_days.never IS 'How many had never stored a backup.';
COMMENT ON COLUMN usage_days.silent IS 'How many had not been heard of within their contact period.';
COMMENT ON COLUMN usage_days.late IS 'How many were late.';
COMMENT ON COLUMN usage_days.fresh IS 'How many were protected.';

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'support') THEN
        GRANT SELECT ON usage_days, usage_days_added TO support;
    END IF;
END
$$;

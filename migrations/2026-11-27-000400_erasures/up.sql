-- How far the erasure of each system is that is being destroyed. Its row ends with the system's; the history keeps what was
-- erased (events `destroyed` and `erased`).

CREATE TABLE system_erasures (
    -- A process of a version before 0.2.0 drops systems without regard to this table.
    system_id uuid PRIMARY KEY REFERENCES systems (id) ON DELETE CASCADE,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    phase text NOT NULL DEFAULT 'retiring' CHECK (phase IN ('retiring', 'deleting', 'waiting')),
    backups bigint NOT NULL CHECK (backups >= 0),
    bytes bigint NOT NULL CHECK (bytes >= 0),
    objects_erased bigint NOT NULL DEFAULT 0 CHECK (objects_erased >= 0),
    objects_left bigint CHECK (objects_left >= 0),
    claimed_until timestamptz
);
CREATE INDEX system_erasures_to_do ON system_erasures (claimed_until NULLS FIRST, requested_at) WHERE phase <> 'waiting';
COMMENT ON TABLE system_erasures IS 'The systems that are being destroyed, and how far that is. When everything is erased, the row of the system is dropped, and this row with it.';
COMMENT ON COLUMN system_erasures.system_id IS 'The system.';
COMMENT ON COLUMN system_erasures.requested_by IS 'Who destroys it: operator (command line), or the subject of a token.';
COMMENT ON COLUMN system_erasures.requested_at IS 'Since when.';
COMMENT ON COLUMN system_erasures.phase IS 'retiring: its backups are taken out of the accounting; deleting: their objects are deleted; waiting: everything is erased, and failed uploads keep the row of the system for up to an hour.';
COMMENT ON COLUMN system_erasures.backups IS 'How many stored backups it had.';
COMMENT ON COLUMN system_erasures.bytes IS 'The sum of their sizes in bytes.';
COMMENT ON COLUMN system_erasures.objects_erased IS 'How many objects are deleted.';
COMMENT ON COLUMN system_erasures.objects_left IS 'How many objects are left, by the last listing of the store; null: nothing was listed yet.';
COMMENT ON COLUMN system_erasures.claimed_until IS 'A process works on it, or is about to try again; the others leave it alone until then.';

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'support') THEN
        GRANT SELECT ON system_erasures TO support;
    END IF;
END
$$;

-- Whether an id of an organization was ever used is found without reading all names of destroyed systems.
CREATE INDEX destroyed_systems_of_org ON destroyed_systems (org_id);

-- What download addresses of the local store are signed with. It lies here so that every process of the fleet
-- accepts what another one has signed.
CREATE TABLE signing_keys (
    purpose text PRIMARY KEY CHECK (purpose IN ('downloads')),
    key bytea NOT NULL CHECK (octet_length(key) = 32),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE signing_keys IS 'Secrets that addresses are signed with. A new key makes the old addresses invalid within a minute.';
COMMENT ON COLUMN signing_keys.purpose IS 'downloads: addresses of backups in the local store (/api/downloads).';
COMMENT ON COLUMN signing_keys.key IS '256 random bits, for HMAC-SHA256.';
COMMENT ON COLUMN signing_keys.created_at IS 'When the key was made.';

-- A random UUID has 122 bits from the system's generator: of three of them 256 are left. An extension for random bytes
-- may not be there.
INSERT INTO signing_keys (purpose, key) VALUES (
    'downloads',
    sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
);

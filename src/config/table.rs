//! The table of settings that `strongroom serve --help` prints.

/// Name, default, meaning.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("DATABASE_URL", "required", "Postgres; also DATABASE_URL_FILE or a systemd credential"),
    ("LISTEN_ADDRESS", "127.0.0.1:8081", "the collect API"),
    (
        "MANAGEMENT_LISTEN_ADDRESS",
        "127.0.0.1:8082",
        "the management API; with TLS_CERT_FILE it speaks TLS unless it is on loopback",
    ),
    ("PUBLIC_URL", "the request's host", "how clients reach the collect API: https://HOST[:PORT]"),
    ("MANAGEMENT_PUBLIC_URL", "the request's host", "the same for the management API"),
    ("JWT_JWKS_URL, JWT_JWKS_FILE", "unset", "the keys that tokens are signed with; one of the two"),
    ("JWT_HS256_SECRET", "unset", "for development only: a secret that tokens are signed with; also _FILE"),
    ("JWT_ISSUER, JWT_AUDIENCE", "required with a key", "what a token's iss and aud have to be"),
    (
        "TLS_CERT_FILE, TLS_KEY_FILE",
        "unset",
        "PEM files; unset: plain HTTP behind a proxy; reloaded on SIGHUP",
    ),
    ("BACKUP_DATA_DIR", "var/objects", "where the local store keeps objects; used when no bucket is set"),
    ("BACKUP_S3_BUCKET", "unset", "a bucket of an S3-compatible engine; unset: the local store"),
    ("S3_ENDPOINT", "required with a bucket", "https://HOST[:PORT] of the engine"),
    (
        "S3_ACCESS_KEY, S3_SECRET_KEY",
        "required with a bucket",
        "the key for it; also S3_ACCESS_KEY_FILE, S3_SECRET_KEY_FILE or systemd credentials",
    ),
    ("BACKUP_S3_REGION", "us-east-1", "what requests are signed for; it has to be the engine's"),
    ("BACKUP_S3_ALLOW_INSECURE", "false", "true: plain HTTP also to other machines than this one"),
    ("BACKUP_S3_USE_PATH_STYLE", "true", "always true: the bucket is in the path, not in the host's name"),
    ("BACKUP_PRESIGN_TTL", "300", "seconds for which a download_url is valid, up to a week"),
    ("BACKUP_S3_PRESIGN_ENDPOINT", "S3_ENDPOINT", "where clients reach the engine"),
    ("BACKUP_MAX_UPLOAD_SIZE", "2147483648", "bytes of one backup"),
    ("BACKUP_MAX_PER_SYSTEM", "10", "backups kept of each system"),
    ("BACKUP_MAX_SIZE_PER_SYSTEM", "524288000", "bytes kept of each system"),
    ("BACKUP_MAX_SIZE_PER_ORG", "107374182400", "bytes, unless an organization has its own; 0: no quota"),
    ("BACKUP_RATE_LIMIT_PER_MINUTE", "6", "uploads of a system in any minute, up to 600; 0: off"),
    ("BACKUP_RATE_LIMIT_PER_HOUR", "60", "uploads of a system in any hour, up to 600; 0: off"),
    ("BACKUP_BODY_IDLE_TIMEOUT", "60", "seconds without a byte of a body, received or taken"),
    ("BACKUP_BODY_MIN_RATE", "1024", "bytes a second over any minute; 0: off"),
    ("BACKUP_LEASE", "120", "seconds without a sign of life after which a process counts as dead"),
    ("BACKUP_SWEEP_INTERVAL", "60", "seconds between two looks for what the dead have left"),
    ("SHUTDOWN_GRACE", "600", "seconds for uploads in flight after SIGTERM"),
    ("BACKUP_UNDELETE_WINDOW", "0", "seconds; only 0 in this version"),
    ("TRUSTED_PROXIES", "none", "addresses or networks whose X-Forwarded-For is believed"),
    ("RUST_LOG", "info", "log level"),
];

/// Whether a variable is one of the settings, or names the file of one.
pub fn is_setting(variable: &str) -> bool {
    let of_a_file = variable.strip_suffix("_FILE");
    let mut names = SETTINGS.iter().flat_map(|(names, ..)| names.split(", "));
    names.any(|name| name == variable || Some(name) == of_a_file)
}

/// The settings as a text for `--help`.
pub fn help() -> String {
    let line = |(name, default, meaning): &(&str, &str, &str)| {
        format!("  {name}\n          {meaning} [default: {default}]\n")
    };
    format!("Settings (environment):\n{}", SETTINGS.iter().map(line).collect::<String>())
}

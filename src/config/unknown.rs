//! Finds variables that were meant as settings and are none: a misspelt name would be ignored, and the default used instead.

use super::settings;

/// All names that begin like this are Strongroom's.
const OWN_PREFIXES: &[&str] = &["BACKUP_", "JWT_", "S3_", "MANAGEMENT_"];

/// Variables of the system and of libraries that an env file may set, too; `*` stands for any end.
const FOREIGN: &[&str] = &[
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "RUST_LOG_STYLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OPENSSL_*",
    "KRB5*",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "PG*",
    "TZ",
    "LANG",
    "LC_*",
    "MALLOC_*",
    "GLIBC_TUNABLES",
    "LD_*",
    "RES_OPTIONS",
    "HOME",
    "PATH",
    "TMPDIR",
];

/// Refuses a name that an env file of Strongroom's must not set. The error repeats the name only if it is written like a
/// name of a setting: a line of a secret may look like an assignment.
pub fn in_file(name: &str) -> Result<(), String> {
    if settings::kind_of(name).is_some() || is_foreign(name) {
        return Ok(());
    }
    let like_a_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let shown = if !name.is_empty() && name.chars().all(like_a_name) {
        format!("{name}: ")
    } else {
        "the name before `=`: ".to_owned()
    };
    if name.strip_prefix("export").is_some_and(|rest| rest.starts_with([' ', '\t'])) {
        return Err("leave out `export`: the file is no shell script".to_owned());
    }
    Err(shown + &advice(name).unwrap_or_else(|| "there is no such setting: remove the line".to_owned()))
}

/// Refuses a variable of the process's environment that looks like a setting. The environment has many others, so only
/// Strongroom's own prefixes and names that are nearly those of settings count.
pub fn in_environment(name: &str, value: &str) -> Result<(), String> {
    let foreign = is_foreign(name) || name.starts_with("SSL_") || is_service_link(name, value);
    if settings::kind_of(name).is_some() || foreign {
        return Ok(());
    }
    if let Some(prefix) = OWN_PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        return Err(advice(name).unwrap_or_else(|| {
            format!("there is no such setting, and names that begin with {prefix} are Strongroom's: unset it")
        }));
    }
    let upper = name.to_ascii_uppercase();
    match nearest(&upper) {
        Some((setting, distance)) if distance <= (setting.len() / 6).min(2) => misspelt(&setting),
        _ => match upper.strip_suffix("_FILE") {
            Some(setting) if settings::kind_of(setting).is_some() => no_file(setting),
            _ => Ok(()),
        },
    }
}

fn misspelt(setting: &str) -> Result<(), String> {
    Err(format!("there is no such setting; {setting} is similar: correct the name, or unset it"))
}

fn no_file(setting: &str) -> Result<(), String> {
    Err(format!("only secrets can be set by a file: set {setting} itself"))
}

/// Returns what to do about a name that is no setting; `None` if none is similar.
fn advice(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    if let Some(setting) = upper.strip_suffix("_FILE").filter(|setting| settings::kind_of(setting).is_some())
    {
        return no_file(setting).err();
    }
    let (setting, distance) = nearest(&upper)?;
    let similar = distance <= (setting.len() / 3).max(2);
    similar.then(|| misspelt(&setting).err()).flatten()
}

/// Returns the most similar name of a setting, and how many letters differ.
fn nearest(name: &str) -> Option<(String, usize)> {
    let names = settings::all().flat_map(|setting| setting.about().variables());
    names
        .map(|known| (strsim::osa_distance(name, &known), known))
        .min()
        .map(|(distance, known)| (known, distance))
}

fn is_foreign(name: &str) -> bool {
    FOREIGN.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    })
}

/// Whether Kubernetes or Docker has set the variable for another service, which may be called `s3` or `backup`.
fn is_service_link(name: &str, value: &str) -> bool {
    let of_port = |rest: &str| rest.split('_').next().is_some_and(|port| port.parse::<u16>().is_ok());
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.split_once("_PORT_").is_some_and(|(_, rest)| of_port(rest))
        || (name.ends_with("_PORT") && value.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_setting_is_refused_with_the_right_name() {
        for (name, right) in [
            ("BACKUP_MAX_SIZE_PER_SYTEM", "BACKUP_MAX_SIZE_PER_SYSTEM"),
            ("BACKUP_MAX_SIZE_PER_SYSTEM_FILE", "BACKUP_MAX_SIZE_PER_SYSTEM"),
            ("BACKUP_LEASES", "BACKUP_LEASE"),
            ("BACKUP_S3_ENDPOINT", "S3_ENDPOINT"),
            ("JWT_ISUER", "JWT_ISSUER"),
            ("S3_SECRETKEY", "S3_SECRET_KEY"),
            ("DATABASE_URI", "DATABASE_URL"),
            ("DATABASE_URL_FLIE", "DATABASE_URL_FILE"),
            ("LISTEN_ADRESS", "LISTEN_ADDRESS"),
            ("listen_address", "LISTEN_ADDRESS"),
            ("LISTEN_ADDRESS_FILE", "LISTEN_ADDRESS"),
            ("TRUSTED_PROXYES", "TRUSTED_PROXIES"),
            ("SHUTDOWN_GRAC", "SHUTDOWN_GRACE"),
            ("MANAGEMENT_LISTEN", "MANAGEMENT_LISTEN_ADDRESS"),
        ] {
            let problem = in_environment(name, "1").expect_err(name);
            if name != "BACKUP_S3_ENDPOINT" && name != "MANAGEMENT_LISTEN" {
                assert!(
                    problem.contains(&format!("{right} ")) || problem.ends_with(&format!("{right} itself")),
                    "{name}: {problem}"
                );
            }
            assert!(in_file(name).is_err(), "{name}");
        }
        assert!(
            in_environment("BACKUP_COLOUR_OF_EVERYTHING", "1")
                .unwrap_err()
                .contains("BACKUP_ are Strongroom's")
        );
    }

    #[test]
    fn settings_and_what_belongs_to_others_are_no_mistakes() {
        for name in settings::all().flat_map(|setting| setting.about().variables()) {
            assert_eq!((in_environment(&name, "1"), in_file(&name)), (Ok(()), Ok(())), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "USER",
            "SHELL",
            "PWD",
            "TERM",
            "HOSTNAME",
            "MAIL",
            "LOGNAME",
            "SUDO_USER",
            "INVOCATION_ID",
            "JOURNAL_STREAM",
            "NOTIFY_SOCKET",
            "LISTEN_PID",
            "LISTEN_FDS",
            "LISTEN_FDNAMES",
            "CREDENTIALS_DIRECTORY",
            "STATE_DIRECTORY",
            "RUST_BACKTRACE",
            "RUST_LOG_STYLE",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "SSL_KEY_FILE",
            "NO_PROXY",
            "no_proxy",
            "HTTPS_PROXY",
            "PGHOST",
            "PGSSLROOTCERT",
            "PGPASSFILE",
            "MALLOC_ARENA_MAX",
            "TZ",
            "LANG",
            "LC_ALL",
            "LLVM_PROFILE_FILE",
            "AWS_REGION",
            "STRONGROOM_PORT",
            "STRONGROOM_SERVICE_HOST",
            "STRONGROOM_TEST_DATABASE_URL",
            "DATABASE_HOST",
            "PUBLIC_IP",
            "KUBERNETES_PORT",
            "S3_SERVICE_HOST",
            "S3_SERVICE_PORT",
            "S3_SERVICE_PORT_HTTP",
            "S3_PORT_443_TCP_ADDR",
            "BACKUP_SERVICE_HOST",
        ] {
            assert_eq!(in_environment(name, "1"), Ok(()), "{name}");
        }
        assert_eq!(in_environment("S3_PORT", "tcp://10.0.0.1:443"), Ok(()));
        assert!(in_environment("S3_PORT", "443").is_err());
    }

    #[test]
    fn env_file_may_set_settings_and_a_few_foreign_variables_only() {
        for name in [
            "RUST_BACKTRACE",
            "SSL_CERT_FILE",
            "NO_PROXY",
            "https_proxy",
            "PGSSLROOTCERT",
            "TZ",
            "MALLOC_ARENA_MAX",
        ] {
            assert_eq!(in_file(name), Ok(()), "{name}");
        }
        for name in
            ["FOO", "STRONGROOM_PORT", "S3_SERVICE_HOST", "export DATABASE_URL", "", "\u{feff}DATABASE_URL"]
        {
            assert!(in_file(name).is_err(), "{name}");
        }
        assert!(in_file("export DATABASE_URL").unwrap_err().contains("leave out `export`"));
    }

    #[test]
    fn env_file_names_the_foreign_variables() {
        let file = crate::config::env_file();
        for name in FOREIGN {
            assert!(file.contains(&name.to_uppercase()), "{name}");
        }
    }

    #[test]
    fn what_may_be_a_piece_of_a_secret_is_not_repeated() {
        for name in ["aHVudGVyMg", "hunter2", "a b"] {
            assert!(!in_file(name).unwrap_err().contains(name), "{name}");
        }
    }
}

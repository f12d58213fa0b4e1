//! Values that can't be meant as they are. No shell has looked at a value that comes from an env file: quotes stay, `~` and
//! `$HOME` are plain characters, and a file from DOS has a carriage return at the end of each line. Taken to the letter, a
//! directory would be made beside the one that was meant.
//!
//! The rules go by the kind of setting, which its name tells. No message repeats a value: it may be a secret.

use super::ConfigError;
use super::parse::wrong;

/// Holds a setting to the rules for its kind.
pub fn check(name: &str, value: &str) -> Result<(), ConfigError> {
    if is_path(name) && value.contains("-----BEGIN") {
        return Err(wrong(name, "it has to be the name of a file, and not what is in the file"));
    }
    let problem = problem_of_text(value).or_else(|| {
        if is_path(name) {
            problem_of_path(value)
        } else if is_url(name) {
            problem_of_name(value)
        } else {
            None
        }
    });
    problem.map_or(Ok(()), |problem| Err(wrong(name, problem)))
}

fn is_path(name: &str) -> bool {
    name == "BACKUP_DATA_DIR" || name.ends_with("_FILE")
}

/// Not `DATABASE_URL`: a password may have any character, and connection strings have quotes.
fn is_url(name: &str) -> bool {
    (name.ends_with("_URL") || name.ends_with("_ENDPOINT")) && name != "DATABASE_URL"
}

/// For every setting, and for a secret in a file.
pub fn problem_of_text(value: &str) -> Option<&'static str> {
    let quoted = |quote| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    if value.contains('\r') {
        return Some("it has a carriage return: end the lines of the file as on Unix (`dos2unix`)");
    }
    if value.contains(char::is_control) {
        return Some("it has a control character, such as a tab or a line end: remove it");
    }
    if value.contains('\u{fffd}') {
        return Some("it is not UTF-8");
    }
    if value.trim() != value {
        return Some("it has a blank at its start or end: remove it");
    }
    if quoted('"') || quoted('\'') {
        return Some("it stands in quotes, which would be part of it: remove them");
    }
    None
}

fn problem_of_path(path: &str) -> Option<&'static str> {
    let after =
        |mark| path.split(mark).skip(1).any(|rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
    if path.starts_with('~') {
        return Some("it starts with `~`, which stands for no directory here: write the whole path");
    }
    if path.contains("://") {
        return Some("it is a URL, and has to be a path: leave out `file://`");
    }
    if after('%') {
        return Some(
            "it has a `%` like systemd's specifiers, which stand for nothing here: write the whole path",
        );
    }
    problem_of_name(path)
}

/// For paths and URLs.
fn problem_of_name(value: &str) -> Option<&'static str> {
    let variable = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || "_{(".contains(c));
    if value.contains(['"', '\'', '`']) {
        return Some("it has quotes in it, which would be part of it: remove them");
    }
    if value.split('$').skip(1).any(variable) {
        return Some("it has a `$`, and variables are not replaced here: write what it stands for");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_shell_has_looked_at_is_refused_and_not_repeated() {
        let paths =
            ["BACKUP_DATA_DIR", "TLS_CERT_FILE", "TLS_KEY_FILE", "JWT_JWKS_FILE", "S3_SECRET_KEY_FILE"];
        let urls = [
            "PUBLIC_URL",
            "MANAGEMENT_PUBLIC_URL",
            "JWT_JWKS_URL",
            "S3_ENDPOINT",
            "BACKUP_S3_PRESIGN_ENDPOINT",
        ];
        let others = ["DATABASE_URL", "BACKUP_LEASE", "LISTEN_ADDRESS", "BACKUP_S3_BUCKET", "S3_SECRET_KEY"];
        let text = [
            "\"value\"",
            "'value'",
            "value\r",
            "value\r\n",
            " value",
            "value ",
            "value\t",
            "val\nue",
            "\u{a0}value",
        ];
        let names = ["va\"lue", "va'lue", "$HOME/value", "/srv/${NAME}", "/srv/$(hostname)", "`hostname`"];
        let own = ["~/value", "~", "file:///srv/value", "%h/value", "/srv/%i"];
        let refused = |kind: &[&str], values: &[&str]| {
            for (name, value) in kind.iter().flat_map(|name| values.iter().map(move |value| (name, value))) {
                let error = check(name, value).expect_err(value);
                assert_eq!(error.variable, *name);
                let line = error.to_string();
                assert!(!line.contains(char::is_control) && !line.contains("value"), "{value:?}: {line}");
            }
        };
        refused(&[&paths[..], &urls, &others].concat(), &text);
        refused(&[&paths[..], &urls].concat(), &names);
        refused(&paths, &own);
    }

    #[test]
    fn what_can_be_meant_is_not_refused() {
        for (name, value) in [
            ("BACKUP_DATA_DIR", "var/objects"),
            ("BACKUP_DATA_DIR", "/srv/a b/c~1/50%/$/\u{fc}"),
            ("JWT_JWKS_URL", "https://login.example/a%2Fb/~me?x=%e4"),
            ("DATABASE_URL", "host=/run password='a \"b\" $c' dbname=x"),
            ("S3_SECRET_KEY", "a'b\"c$HOME~%h"),
            ("JWT_ISSUER", ""),
            ("TRUSTED_PROXIES", "10.0.0.1, ::1"),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}={value}");
        }
    }
}

//! Formats the table of settings for `--help`, for the README and for systemd's env file.

use std::fmt::Write as _;
use std::time::Duration;

use super::setting::{About, Default, Kind};
use super::settings::{GROUPS, all};
use crate::domain::{duration, size};

const HELP_HEAD: &str = "\
Settings (environment). A size is in bytes, or has a unit: K, M, G and T (or KiB, MiB, ...) are powers of 1024,
kB, MB, GB and TB are powers of 1000. A time is in seconds, or has units: 90s, 5m, 2h, 3d.

";

/// Returns the settings as a text for `--help`.
pub fn help() -> String {
    let entry = |about: &About| {
        format!("  {}\n          {} [default: {}]\n", about.name, described(about), default(about, ""))
    };
    format!("{HELP_HEAD}{}", all().map(|setting| entry(setting.about())).collect::<String>())
}

/// Returns the settings as a table for the README.
pub fn readme_table() -> String {
    let row =
        |about: &About| format!("| `{}` | {} | {} |\n", about.name, default(about, "`"), described(about));
    let rows: String = all().map(|setting| row(setting.about())).collect();
    format!("| variable | default | meaning |\n|---|---|---|\n{rows}")
}

/// Returns the meaning; for a secret, also the other places where it may be set.
pub(super) fn described(about: &About) -> String {
    let meaning = about.meaning();
    match about.kind {
        Kind::Secret => {
            format!("{meaning} Also `{}_FILE`, or a systemd credential of that name.", about.name)
        }
        _ => meaning,
    }
}

/// Returns the default with its unit.
pub(super) fn default(about: &About, quote: &str) -> String {
    match (about.default, about.kind.unit()) {
        (Default::Is(text) | Default::IsOrOfUnit(text, _), Some(unit)) => {
            let readable = readable(about.kind, text).map(|text| format!(" ({text})"));
            format!("{quote}{text}{quote} {unit}{}", readable.unwrap_or_default())
        }
        (Default::Is(text) | Default::IsOrOfUnit(text, _), None) => format!("{quote}{text}{quote}"),
        (Default::Required { .. }, _) => "required".to_owned(),
        (Default::Unset { means, .. }, _) => means.to_owned(),
    }
}

/// Returns a size or a time span in its largest unit, `2 GiB`; `None` if that says no more than the plain number.
fn readable(kind: Kind, text: &str) -> Option<String> {
    let number: u64 = text.parse().ok()?;
    match kind {
        Kind::Bytes if number >= 1024 => Some(size::exact(number)),
        Kind::BytesPerSecond if number >= 1024 => Some(format!("{} a second", size::exact(number))),
        Kind::Seconds if number >= 60 => Some(duration::exact(Duration::from_secs(number))),
        _ => None,
    }
}

const ENV_FILE_HEAD: &str = "\
# Strongroom's settings: /etc/strongroom/strongroom.env, mode 0600, owner root. The service reads this
# file, and so does every command that root runs: sudo strongroom org list
#
# Each setting is shown with its default, or with an example if it has none. A wrong value stops the
# start with one line that names the setting. So does a misspelt name, with the right one, and a setting
# of a part that this version does not have. A change takes effect at a restart: uploads under way may
# finish first (SHUTDOWN_GRACE).
#
# A size is in bytes, or has a unit: K, M, G and T (or KiB, MiB, GiB and TiB) are powers of 1024, kB, MB,
# GB and TB are powers of 1000. 500M is 524288000. A time is in seconds, or has units: 90s, 5m, 2h, 3d.
#
# A comment has to stand on a line of its own: behind a value it would be part of the value. Values
# are taken literally: ~, $HOME and %h stand for nothing. A value that is certainly a mistake (in quotes
# that docker --env-file leaves, with a blank at either end, with DOS line ends) stops the start.
#
# Beside settings, this file may set variables of the system and of libraries: SSL_CERT_FILE,
# SSL_CERT_DIR, OPENSSL_*, PG*, KRB5*, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY (also in small letters),
# RES_OPTIONS, TZ, LANG, LC_*, HOME, PATH, TMPDIR, LD_*, MALLOC_*, GLIBC_TUNABLES, RUST_BACKTRACE,
# RUST_LIB_BACKTRACE and RUST_LOG_STYLE. Commands refuse all other names.
";

/// Returns the content of `deploy/systemd/strongroom.env`.
pub fn env_file() -> String {
    let mut file = ENV_FILE_HEAD.to_owned();
    for group in GROUPS {
        let heading = format!("--- {} ", group.heading);
        let _ = writeln!(file, "\n# {heading:-<98}");
        for setting in group.settings {
            file.push('\n');
            file += &env_entry(setting.about());
        }
    }
    file
}

/// Returns the description of a setting, and the line that sets it: commented out, unless the setting is required.
fn env_entry(about: &About) -> String {
    let name = about.name;
    let doc = about.doc.iter().filter(|line| !line.is_empty());
    let mut entry = String::new();
    for line in doc {
        let _ = writeln!(entry, "#{line}");
    }
    if let Some(unit) = about.kind.unit() {
        let readable = about.default_text().and_then(|text| Some((text, readable(about.kind, text)?)));
        let readable = readable.map(|(text, readable)| format!(": {text} is {readable}"));
        let _ = writeln!(entry, "# In {unit}, or with a unit{}.", readable.unwrap_or_default());
    }
    let _ = match about.default {
        Default::Is(text) | Default::IsOrOfUnit(_, text) => writeln!(entry, "#{name}={text}"),
        Default::Required { example } => writeln!(entry, "{name}={example}"),
        Default::Unset { example, .. } => writeln!(entry, "#{name}={example}"),
    };
    if about.kind == Kind::Secret {
        let file = format!("/etc/strongroom/{}", name.to_lowercase().replace('_', "-"));
        let _ = write!(
            entry,
            "# Or outside the environment, in a file or in a systemd credential of this name (in the unit:\n\
             # LoadCredential={name}:{file}). If both are set, {name} is used\n\
             # and the file is ignored: remove that line. The service prefers its credential to the file of\n\
             # {name}_FILE, which commands need beside it, because a credential is only for the service.\n\
             #{name}_FILE={file}\n"
        );
    }
    entry
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;
    use crate::config::literal;
    use crate::config::setting::Entry;

    const README_START: &str = "<!-- The table of src/config/settings; STRONGROOM_BLESS=1 cargo test --lib config::pages writes it. -->\n";
    const README_END: &str = "<!-- The end of the table. -->\n";

    /// Returns the path in the checkout that cargo tests. Read when the test runs: checkouts that share a target directory may
    /// share a test binary, and the wrong one must not be written.
    fn path_of(name: &str) -> String {
        format!("{}/{name}", env::var("CARGO_MANIFEST_DIR").unwrap())
    }

    /// Fails if the file does not have the text. With STRONGROOM_BLESS in the environment the file is written instead.
    fn assert_file_is(name: &str, expected: &str) {
        let path = path_of(name);
        if env::var_os("STRONGROOM_BLESS").is_some() {
            fs::write(&path, expected).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap();
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected, "{name} (STRONGROOM_BLESS=1 cargo test --lib config::pages)");
        }
        assert_eq!(found.len(), expected.len(), "{name}");
    }

    #[test]
    fn the_env_file_is_the_table() {
        assert_file_is("deploy/systemd/strongroom.env", &env_file());
    }

    #[test]
    fn the_readme_has_the_table() {
        let text = fs::read_to_string(path_of("README.md")).unwrap();
        let (before, rest) = text.split_once(README_START).unwrap();
        let (_, after) = rest.split_once(README_END).unwrap();
        assert_file_is(
            "README.md",
            &format!("{before}{README_START}\n{}\n{README_END}{after}", readme_table()),
        );
    }

    #[test]
    fn the_help_has_every_setting_with_its_default() {
        let help = help();
        for about in all().map(Entry::about) {
            let (_, entry) = help.split_once(&format!("\n  {}\n", about.name)).unwrap();
            let meaning = entry.lines().next().unwrap();
            assert!(meaning.trim().starts_with(&about.meaning()), "{}: {meaning}", about.name);
            assert!(meaning.ends_with(&format!("[default: {}]", default(about, ""))), "{meaning}");
        }
    }

    #[test]
    fn every_default_and_example_passes_the_check_of_its_setting() {
        for setting in all() {
            let about = setting.about();
            let (Default::Is(text)
            | Default::IsOrOfUnit(text, _)
            | Default::Required { example: text }
            | Default::Unset { example: text, .. }) = about.default;
            if about.kind != Kind::Secret || !text.is_empty() {
                assert_eq!(setting.check(text), Ok(()), "{}", about.name);
            }
            assert_eq!(literal::check(about.kind, text), Ok(()), "{}", about.name);
        }
    }

    #[test]
    fn the_unit_sets_what_the_table_says() {
        let units = [
            include_str!("../../deploy/systemd/strongroom.service"),
            include_str!("../../deploy/systemd/strongroom-audit.service"),
        ];
        for (unit, about) in units.iter().flat_map(|unit| all().map(move |setting| (unit, setting.about()))) {
            let line =
                unit.lines().find_map(|line| line.strip_prefix(&format!("Environment={}=", about.name)));
            let expected = match about.default {
                Default::IsOrOfUnit(_, text) => Some(text),
                _ => None,
            };
            assert_eq!(line, expected, "{}", about.name);
        }
    }

    #[test]
    fn every_setting_has_a_name_of_its_own_and_a_meaning() {
        let mut names: Vec<_> = all().flat_map(|setting| setting.about().variables()).collect();
        names.sort();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        for about in all().map(Entry::about) {
            assert!(about.meaning().ends_with('.') && !about.meaning().contains('|'), "{}", about.name);
        }
    }
}

use std::path::PathBuf;

use proptest::prelude::*;

use super::parse::parse;
use super::{EnvironmentFile, variables};
use crate::config::{env_file, settings, variables::Variables};

fn parsed(text: &str) -> Vec<(String, String)> {
    let assignments = parse(text).unwrap_or_else(|malformed| panic!("{text:?}: {malformed:?}"));
    assignments.into_iter().map(|one| (one.name, one.value)).collect()
}

/// Each text is one assignment to A. The values are those that systemd 252 and 257 give a service.
#[test]
fn values_are_read_as_systemd_reads_them() {
    for (text, value) in [
        ("A=b", "b"),
        ("A=b\n", "b"),
        ("A=b\r\n", "b"),
        ("  A = b c \t\n", "b c"),
        ("\n# comment\n; comment\nA=b\n", "b"),
        ("A=", ""),
        ("A=\n", ""),
        ("A=b # no comment", "b # no comment"),
        ("A=b;c=d", "b;c=d"),
        ("A=\"b c\"", "b c"),
        ("A='b c'", "b c"),
        ("A=\" b \"", " b "),
        ("A=\"b\"  'c'", "bc"),
        ("A=\"b\"#c", "b#c"),
        ("A=b\"c\"", "b\"c\""),
        ("A=b'c'", "b'c'"),
        ("A=\"it's\"", "it's"),
        ("A='a\"b'", "a\"b"),
        ("A='a\\b'", "a\\b"),
        ("A=\"a\\\"b\\\\c\\$d\\`e\\f\"", "a\"b\\c$d`e\\f"),
        ("A=a\\b\\\\c", "ab\\c"),
        ("A=a\\\nb", "ab"),
        ("A=a \\\n  b", "a   b"),
        ("A=\"a\\\nb\"", "ab"),
        ("A=a\\ ", "a "),
        ("A=a\\", "a"),
        ("A=$HOME/~%h", "$HOME/~%h"),
        ("A=postgres:///strongroom?host=/run/postgresql", "postgres:///strongroom?host=/run/postgresql"),
        ("A=host=/run password='a b'", "host=/run password='a b'"),
        ("A=\u{e9}\u{1f512}", "\u{e9}\u{1f512}"),
    ] {
        assert_eq!(parsed(text), [("A".to_owned(), value.to_owned())], "{text:?}");
    }
}

#[test]
fn assignments_have_the_line_on_which_they_begin() {
    let assignments = parse("\n# c\nA=1\\\n2\nB='3\n4'\n\nC=5\r\nD=6").unwrap();
    let lines: Vec<_> = assignments.iter().map(|one| (one.name.as_str(), one.line)).collect();
    assert_eq!(lines, [("A", 3), ("B", 5), ("C", 8), ("D", 9)]);
}

#[test]
fn what_systemd_would_skip_silently_is_refused_without_repeating_it() {
    for (text, line, word) in [
        ("A=1\nhunter2\nB=2", 2, "`=`"),
        ("hunter2", 1, "`=`"),
        ("A=1\n\nB=\"hunter2\nC=3\n", 3, "quote"),
        ("A='hunter2", 1, "quote"),
        ("A=\"hunter2\\", 1, "quote"),
        ("# hunter2 \\\nA=1", 1, "backslash"),
    ] {
        let malformed = parse(text).unwrap_err();
        assert_eq!(malformed.line, line, "{text:?}");
        assert!(malformed.problem.contains(word) && !malformed.problem.contains("hunter2"), "{malformed:?}");
    }
}

#[test]
fn every_line_of_the_installed_file_may_be_used() {
    let shown = env_file();
    assert_eq!(variables(shown.as_bytes()).unwrap().len(), 1, "only what is required is set");
    // `#NAME=value` is a setting, `# text` is a comment.
    let is_setting =
        |line: &&str| line.starts_with('#') && line.as_bytes().get(1).is_some_and(u8::is_ascii_uppercase);
    let all: Vec<&str> = shown.lines().filter(is_setting).map(|line| &line[1..]).collect();
    let variables = variables(all.join("\n").as_bytes()).unwrap();
    let names = settings::all().flat_map(|setting| setting.about().variables()).count();
    assert_eq!(variables.len(), names - 1, "all but DATABASE_URL: {variables:?}");
}

fn beside(file: &[(&str, &str)], process: &[(&str, &str)]) -> Vec<(String, String)> {
    let variables = file.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let file = EnvironmentFile { path: PathBuf::new(), variables };
    file.beside(&Variables::from_pairs(process.iter().copied()))
}

#[test]
fn directory_of_objects_is_the_units_unless_it_is_set() {
    let set = |value: &str| ("BACKUP_DATA_DIR".to_owned(), value.to_owned());
    assert_eq!(beside(&[], &[]), [set("/var/lib/strongroom/objects")]);
    assert_eq!(beside(&[("BACKUP_DATA_DIR", "/srv")], &[]).last(), Some(&set("/srv")));
    assert_eq!(beside(&[("BACKUP_DATA_DIR", "/srv")], &[("BACKUP_DATA_DIR", "/tmp")]), []);
}

#[test]
fn setting_of_the_process_overrides_all_its_forms_in_the_file() {
    let file = [("S3_SECRET_KEY", "a"), ("TZ", "UTC"), ("BACKUP_DATA_DIR", "/srv")];
    let names = |process: &[(&str, &str)]| {
        beside(&file, process)
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| name != "BACKUP_DATA_DIR")
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["S3_SECRET_KEY", "TZ"]);
    assert_eq!(names(&[("S3_SECRET_KEY_FILE", "/x")]), ["TZ"]);
    assert_eq!(names(&[("TZ", "CET")]), ["S3_SECRET_KEY"]);
    assert_eq!(names(&[("S3_SECRET_KEY", "")]), ["S3_SECRET_KEY", "TZ"], "an empty secret counts as none");
    assert_eq!(names(&[("S3_SECRET_KEY", ""), ("S3_SECRET_KEY_FILE", "/x")]), ["TZ"]);
}

#[test]
fn path_in_a_file_is_absolute() {
    for line in ["BACKUP_DATA_DIR=var/objects", "DATABASE_URL_FILE=url", "TLS_CERT_FILE=./cert.pem"] {
        assert!(variables(line.as_bytes()).unwrap_err().problem.contains("whole path"), "{line}");
    }
    assert!(variables(b"A\n").is_err() && variables(b"\n\nTZ=\xff").unwrap_err().line == 3);
}

fn in_double_quotes(value: &str) -> String {
    let escaped = value.chars().flat_map(|c| "\"\\`$".contains(c).then_some('\\').into_iter().chain([c]));
    format!("\"{}\"", escaped.collect::<String>())
}

fn escaped(value: &str) -> String {
    value.chars().flat_map(|c| ['\\', c]).collect()
}

proptest! {
    #[test]
    fn every_value_that_settings_may_have_can_be_written(value in "\\PC{0,60}") {
        let mut forms = vec![in_double_quotes(&value), escaped(&value)];
        if !value.contains('\'') {
            forms.push(format!("'{value}'"));
        }
        // As most people write values: as they are.
        let quoted = value.starts_with(['\'', '"']);
        if !quoted && !value.contains('\\') && value.trim_matches([' ', '\t']) == value {
            forms.push(value.clone());
        }
        for form in forms {
            let read = parsed(&format!("# a comment\nA={form}\nB=next\n"));
            prop_assert_eq!(&read[0], &("A".to_owned(), value.clone()), "{}", form);
            prop_assert_eq!(&read[1].1, "next");
        }
    }

    #[test]
    fn no_text_panics(text in "[A=\"'\\\\\n\r #;]{0,40}|.{0,40}") {
        let _ = parse(&text);
    }
}

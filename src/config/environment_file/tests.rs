use proptest::prelude::*;

use super::parse::parse;

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

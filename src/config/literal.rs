//! Refuses values that can't be meant literally. No shell interprets a value from an env file: quotes stay, `~` and `$HOME` are
//! plain characters, and a file from DOS has a carriage return at the end of each line. Used literally, such a path would
//! name another directory than the intended one, and the store would create it.
//!
//! The rules depend on the kind of value. No message repeats a value: it may be a secret.

use super::setting::Kind;

/// Refuses a value that can't be meant literally, by the rules for its kind.
pub fn check(kind: Kind, value: &str) -> Result<(), &'static str> {
    if kind == Kind::Path && value.contains("-----BEGIN") {
        return Err("it has to be the name of a file, and not what is in the file");
    }
    let problem = problem_of_text(value).or_else(|| match kind {
        Kind::Path => problem_of_path(value),
        Kind::Url => problem_of_name(value),
        // One of the others is DATABASE_URL: a password may have any character, and connection strings have quotes.
        _ => None,
    });
    problem.map_or(Ok(()), Err)
}

/// Returns what is wrong with a value by the rules for every setting, and for a secret in a file.
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
        return Some("it is in quotes, which would be part of it: remove them");
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

/// Returns what is wrong with a value by the rules for paths and URLs.
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
    fn value_that_only_a_shell_would_interpret_is_refused_and_not_repeated() {
        let others = [Kind::Secret, Kind::Seconds, Kind::Address, Kind::Text];
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
        let refused = |kinds: &[Kind], values: &[&str]| {
            for (kind, value) in kinds.iter().flat_map(|kind| values.iter().map(move |value| (*kind, value)))
            {
                let problem = check(kind, value).expect_err(value);
                assert!(
                    !problem.contains(char::is_control) && !problem.contains("value"),
                    "{value:?}: {problem}"
                );
            }
        };
        refused(&[Kind::Path, Kind::Url], &text);
        refused(&others, &text);
        refused(&[Kind::Path, Kind::Url], &names);
        refused(&[Kind::Path], &own);
    }

    #[test]
    fn value_that_can_be_meant_literally_is_accepted() {
        for (kind, value) in [
            (Kind::Path, "var/objects"),
            (Kind::Path, "/srv/a b/c~1/50%/$/\u{fc}"),
            (Kind::Url, "https://login.example/a%2Fb/~me?x=%e4"),
            (Kind::Secret, "host=/run password='a \"b\" $c' dbname=x"),
            (Kind::Secret, "a'b\"c$HOME~%h"),
            (Kind::Text, ""),
            (Kind::Networks, "10.0.0.1, ::1"),
        ] {
            assert_eq!(check(kind, value), Ok(()), "{kind:?} {value}");
        }
    }
}

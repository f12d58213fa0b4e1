use std::time::Duration;

use proptest::prelude::*;

use super::{exact, parse, parse_or_seconds};

#[test]
fn time_spans_have_units() {
    for (text, seconds) in [
        ("0s", 0),
        ("90s", 90),
        ("5m", 300),
        ("5min", 300),
        ("2h", 7200),
        ("3d", 259_200),
        ("2w", 1_209_600),
        ("1h30m", 5400),
        ("1d 12h", 129_600),
        ("7 days", 604_800),
        ("1 hour 1 second", 3601),
    ] {
        assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        assert_eq!(parse_or_seconds(text), Ok(Duration::from_secs(seconds)), "{text}");
    }
}

#[test]
fn a_number_alone_is_seconds_only_where_that_is_documented() {
    assert_eq!(parse_or_seconds("90"), Ok(Duration::from_secs(90)));
    let error = parse("90").unwrap_err();
    assert!(error.contains("with a unit"), "{error}");
}

#[test]
fn what_is_no_time_span_is_refused_in_one_line() {
    for text in [
        "",
        " ",
        "s",
        "d",
        "-1d",
        "1.5",
        "1.5h",
        "7 dogs",
        "5M",
        "1y",
        "2 months",
        "10ms",
        "1h-30m",
        "1h30",
        " 1h",
        "1h ",
        "1\u{a0}h",
        "5S",
        "forever",
        "99999999999999999999s",
        "99999999999999999999",
        "18446744073709551615w",
        "18446744073709551615s 1s",
    ] {
        for error in [parse(text).unwrap_err(), parse_or_seconds(text).unwrap_err()] {
            assert_eq!(error.lines().count(), 1, "{error}");
            assert!(error.starts_with(&format!("{text:?}")), "{error}");
        }
    }
    assert!(parse("5M").unwrap_err().contains("write days"));
    assert!(parse("18446744073709551615w").unwrap_err().contains("too long"));
}

#[test]
fn exact_time_spans_are_whole_numbers_of_the_largest_unit() {
    for (seconds, text) in [
        (0, "0 seconds"),
        (1, "1 second"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (300, "5 minutes"),
        (7200, "2 hours"),
        (259_200, "3 days"),
        (604_800, "1 week"),
    ] {
        assert_eq!(exact(Duration::from_secs(seconds)), text);
    }
}

proptest! {
    #[test]
    fn whole_numbers_keep_their_meaning(seconds: u64, zeros in "0{0,5}", plus in "\\+?") {
        // What the settings accepted before time spans had units.
        let text = format!("{plus}{zeros}{seconds}");
        prop_assert_eq!(text.parse(), Ok(seconds));
        prop_assert_eq!(parse_or_seconds(&text), Ok(Duration::from_secs(seconds)));
    }

    #[test]
    fn exact_time_spans_are_read_back(seconds: u64) {
        let span = Duration::from_secs(seconds);
        prop_assert_eq!(parse(&exact(span)), Ok(span));
    }

    #[test]
    fn no_text_panics(text in "[0-9smhdwy .]{0,40}|.{0,40}") {
        let _ = parse_or_seconds(&text);
    }
}

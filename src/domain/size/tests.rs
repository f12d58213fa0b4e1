use proptest::prelude::*;

use super::{exact, human, parse};

#[test]
fn sizes_have_one_decimal_and_the_unit_that_fits() {
    for (bytes, text) in [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (82_944_000, "79.1 MiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        (1 << 20, "1.0 MiB"),
        (500 << 20, "500.0 MiB"),
        (2 << 30, "2.0 GiB"),
        (u64::MAX, "16.0 EiB"),
    ] {
        assert_eq!(human(bytes), text, "{bytes}");
    }
}

#[test]
fn exact_sizes_are_whole_numbers_of_the_largest_unit() {
    for (bytes, text) in [
        (0, "0 B"),
        (1, "1 B"),
        (1024, "1 KiB"),
        (1536, "1536 B"),
        (524_288_000, "500 MiB"),
        (2_147_483_648, "2 GiB"),
        (107_374_182_400, "100 GiB"),
        (1 << 60, "1024 PiB"),
    ] {
        assert_eq!(exact(bytes), text, "{bytes}");
    }
}

#[test]
fn sizes_have_units() {
    for (text, bytes) in [
        ("0", 0),
        ("524288000", 524_288_000),
        ("512B", 512),
        ("20K", 20 << 10),
        ("20k", 20 << 10),
        ("20M", 20 << 20),
        ("20m", 20 << 20),
        ("500MiB", 500 << 20),
        ("500 MiB", 500 << 20),
        ("500.0 MiB", 500 << 20),
        ("2G", 2 << 30),
        ("2g", 2 << 30),
        ("2GiB", 2 << 30),
        ("3T", 3 << 40),
        ("3TiB", 3 << 40),
        ("1P", 1 << 50),
        ("1024PiB", 1 << 60),
        ("20kB", 20_000),
        ("20MB", 20_000_000),
        ("20GB", 20_000_000_000),
        ("20TB", 20_000_000_000_000),
        ("1PB", 1_000_000_000_000_000),
        ("1.5GiB", 3 << 29),
        ("1.5G", 3 << 29),
        ("0.5K", 512),
        ("1.0000000000000000000000", 1),
        ("1.25kB", 1250),
        ("0G", 0),
        ("18446744073709551615", u64::MAX),
    ] {
        assert_eq!(parse(text), Ok(bytes), "{text}");
    }
}

#[test]
fn what_is_no_size_is_refused_with_the_forms() {
    for text in [
        "", " ", "G", "many", "-1", "-1G", "1e9", "1E", "0x10", "2 ", " 2", "2  G", "2G ", "2GG", "20Mb",
        "20mb", "20gb", "20kb", "20kib", "20gib", "20Kib", "1,5G", "1.5.2G", "1.G", ".5G", "2\u{a0}G",
        "\u{662}G", "1_000", "10 bytes",
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains("is not a size") && error.contains("powers of 1024"), "{text:?}: {error}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn what_is_ambiguous_or_not_exact_or_too_large_says_so() {
    for (text, reason) in [
        ("20KB", "ambiguous"),
        ("1.5", "not a whole number"),
        ("1.5B", "not a whole number"),
        ("0.1G", "not a whole number"),
        ("0.0001kB", "not a whole number"),
        ("0.0000000000000000000000001P", "not a whole number"),
        ("18446744073709551616", "too large"),
        ("16384P", "too large"),
        ("99999999999999999999999999999999999999999999999999G", "too large"),
        ("340282366920938463463374607431768211455P", "too large"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(reason), "{text:?}: {error}");
    }
}

proptest! {
    #[test]
    fn whole_numbers_keep_their_meaning(bytes: u64, zeros in "0{0,5}", plus in "\\+?") {
        // What the settings accepted before sizes had units.
        let text = format!("{plus}{zeros}{bytes}");
        prop_assert_eq!(text.parse(), Ok(bytes));
        prop_assert_eq!(parse(&text), Ok(bytes));
    }

    #[test]
    fn exact_sizes_are_read_back(bytes: u64, zeros in 0..60_u32) {
        let bytes = bytes >> zeros << zeros;
        prop_assert_eq!(parse(&exact(bytes)), Ok(bytes));
    }

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = parse(&text);
    }
}

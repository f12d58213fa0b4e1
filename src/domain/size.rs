//! Sizes for people.

/// Formats a size in bytes, in the largest binary unit of which it has at least one: `512 B`, `79.1 MiB`.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Rounded tenths of the unit, as whole numbers. A size that rounds up to the next unit is shown in that unit.
    let tenths = |power: usize| (u128::from(bytes) * 20 + (1 << (10 * power))) >> (10 * power + 1);
    let power = (1..UNITS.len()).find(|&power| tenths(power) < 10_240).unwrap_or(UNITS.len());
    format!("{}.{} {}", tenths(power) / 10, tenths(power) % 10, UNITS[power - 1])
}

#[cfg(test)]
mod tests {
    use super::human;

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
}

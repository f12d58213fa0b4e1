//! Sizes in bytes, as people write and read them.

#[cfg(test)]
mod tests;

/// The units that a size may have: powers of 1024, and powers of 1000.
const UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("T", 1 << 40),
    ("P", 1 << 50),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
];

/// More decimals than this are never exact: 1 PB has 15.
const MAX_DECIMALS: usize = 18;

/// What a size may look like, for help texts and errors.
pub const FORMS: &str = "bytes, such as 524288000, or a number with a unit: K, M, G, T (or KiB, MiB, ...) are powers of 1024, \
     kB, MB, GB, TB are powers of 1000";

/// Parses a size: bytes as a whole number, or a number with a unit, such as `500M`, `1.5 GiB` or `20GB`.
///
/// The letters alone are accepted in either case, because programs differ: `20m` is `20M`. All other units have to be written
/// as they are: `Mb` may be megabits, and `KB` is 1000 bytes for some programs and 1024 for others. A fraction has to be a
/// whole number of bytes.
pub fn parse(text: &str) -> Result<u64, String> {
    if let Ok(bytes) = text.parse() {
        return Ok(bytes);
    }
    let not_a_size = || format!("{text:?} is not a size: write {FORMS}");
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let unit = unit.strip_prefix(' ').filter(|unit| !unit.is_empty()).unwrap_or(unit);
    let (whole, decimals) = match number.split_once('.') {
        Some((whole, decimals)) if !decimals.is_empty() && !decimals.contains('.') => (whole, decimals),
        Some(_) => return Err(not_a_size()),
        None => (number, ""),
    };
    if whole.is_empty() {
        return Err(not_a_size());
    }
    let factor = match unit {
        "" => 1,
        "KB" => return Err(format!("{text:?} is ambiguous: write KiB (1024 bytes) or kB (1000 bytes)")),
        _ => factor(unit).ok_or_else(not_a_size)?,
    };
    let inexact = || format!("{text:?} is not a whole number of bytes: write it in a smaller unit");
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > MAX_DECIMALS {
        return Err(inexact());
    }
    let too_large = || format!("{text:?} is too large");
    let digits: u128 = format!("{whole}{decimals}").parse().map_err(|_| too_large())?;
    let scaled = digits.checked_mul(u128::from(factor)).ok_or_else(too_large)?;
    let divisor = (0..decimals.len()).fold(1_u128, |power, _| power * 10);
    if scaled % divisor != 0 {
        return Err(inexact());
    }
    u64::try_from(scaled / divisor).map_err(|_| too_large())
}

fn factor(unit: &str) -> Option<u64> {
    let letter = unit.to_ascii_uppercase();
    let unit = if unit.len() == 1 { letter.as_str() } else { unit };
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

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

/// Formats a size exactly, in the largest binary unit of which it is a whole number: `500 MiB`, `1500 B`.
pub fn exact(bytes: u64) -> String {
    let of = |(unit, factor): &(&str, u64)| format!("{} {unit}", bytes / factor);
    let binary = UNITS
        .iter()
        .filter(|(unit, factor)| unit.ends_with("iB") && bytes > 0 && bytes.is_multiple_of(*factor));
    binary.max_by_key(|(_, factor)| *factor).map_or_else(|| format!("{bytes} B"), of)
}

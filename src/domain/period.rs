//! The periods of systems and organizations, and the overlap of a rotation.

/// The longest period in seconds: ten years. A longer one would mean nothing, and its end might be no date.
pub const MAX_SECONDS: u64 = 315_619_200;

/// How long the secret before a rotation may stay valid, in seconds: seven days.
pub const MAX_OVERLAP_SECONDS: u32 = 604_800;

/// The period is zero or too long. The error's text is the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 315619200 seconds (ten years)")]
pub struct InvalidPeriod;

/// Returns a period in seconds, if it is one.
pub fn check(seconds: u64) -> Result<i64, InvalidPeriod> {
    let seconds = Some(seconds).filter(|seconds| (1..=MAX_SECONDS).contains(seconds)).ok_or(InvalidPeriod)?;
    i64::try_from(seconds).map_err(|_| InvalidPeriod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn period_is_a_second_to_ten_years() {
        for (seconds, expected) in [
            (0, Err(InvalidPeriod)),
            (1, Ok(1)),
            (MAX_SECONDS, Ok(315_619_200)),
            (MAX_SECONDS + 1, Err(InvalidPeriod)),
        ] {
            assert_eq!(check(seconds), expected, "{seconds}");
        }
        assert!(InvalidPeriod.to_string().contains(&MAX_SECONDS.to_string()));
    }
}

//! The claim_values in which providers write one and the same claim. A form is understood if it can mean one thing only;
//! nothing is ever guessed, and nothing is in the result that is not literally in the claim.

use serde_json::Value;

use crate::domain::caller::Scope;

/// The largest whole number that every JSON library reads as it was written (RFC 8259, 6). Beyond it a provider may have
/// made one number of two, and so one organization.
const LARGEST_EXACT: u64 = (1 << 53) - 1;
/// Seconds since the Unix epoch that no time of a token reaches (the year 33658). Milliseconds do, and a token that
/// expires in thousands of years was not meant.
const BEYOND_TIME: f64 = 1e12;

/// A name: text, or a whole number (the numeric ids of a database).
pub(super) fn name(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => {
            number.as_u64().filter(|number| *number <= LARGEST_EXACT).map(|number| number.to_string())
        }
        _ => None,
    }
}

/// Seconds since the Unix epoch: a number, whole or not (RFC 7519, 2), or its digits as text.
pub(super) fn time(claim: &Value) -> Option<f64> {
    let seconds = match claim {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    seconds.filter(|seconds| *seconds < BEYOND_TIME)
}

/// Whether this text is the claim, or is one of several in it.
pub(super) fn has(claim: &Value, text: &str) -> bool {
    match claim {
        Value::String(one) => one == text,
        Value::Array(many) => many.iter().any(|one| one.as_str() == Some(text)),
        _ => false,
    }
}

/// The scopes of ours in a claim: text with spaces between them, or an array of them.
pub(super) fn scopes(claim: &Value) -> Vec<Scope> {
    match claim {
        Value::String(text) => text.split_ascii_whitespace().filter_map(Scope::parse).collect(),
        Value::Array(many) => many.iter().filter_map(Value::as_str).filter_map(Scope::parse).collect(),
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_text_or_a_whole_number_that_is_exact() {
        for (claim, expected) in [
            (json!("acme"), Some("acme")),
            (json!(""), Some("")),
            (json!(0), Some("0")),
            (json!(4711), Some("4711")),
            (json!(9_007_199_254_740_991_u64), Some("9007199254740991")),
            (json!(9_007_199_254_740_992_u64), None),
            (json!(-1), None),
            (json!(1.0), None),
            (json!(true), None),
            (json!(["acme"]), None),
            (json!({ "acme": 1 }), None),
        ] {
            assert_eq!(name(&claim).as_deref(), expected, "{claim}");
        }
        let beyond: Value = serde_json::from_str("100000000000000000000").unwrap();
        assert_eq!(name(&beyond), None);
    }

    #[test]
    fn a_time_is_a_number_or_its_digits() {
        for (claim, expected) in [
            (json!(1_800_000_000), Some(1_800_000_000.0)),
            (json!(1_800_000_000.5), Some(1_800_000_000.5)),
            (json!(-1), Some(-1.0)),
            (json!("1800000000"), Some(1_800_000_000.0)),
            (json!("1800000000.5"), None),
            (json!("0x10"), None),
            (json!("1e9"), None),
            (json!("+1"), None),
            (json!(" 1"), None),
            (json!(""), None),
            (json!("inf"), None),
            (json!("1800000000000"), None),
            (json!(1_800_000_000_000_u64), None),
            (json!(999_999_999_999_u64), Some(999_999_999_999.0)),
            (json!(1e300), None),
            (json!([1_800_000_000]), None),
            (json!(true), None),
        ] {
            assert_eq!(time(&claim), expected, "{claim}");
        }
    }

    #[test]
    fn scopes_are_whole_words_of_a_text_and_whole_elements_of_an_array() {
        for (claim, expected) in [
            (json!("openid backup:view\tbackup:delete"), vec![Scope::View, Scope::Delete]),
            (json!(["openid", "backup:view", 7, null, ["backup:admin"]]), vec![Scope::View]),
            (json!(["backup:view backup:delete"]), vec![]),
            (json!("backup:view,backup:delete"), vec![]),
            (json!("BACKUP:VIEW backup:* backup:viewer"), vec![]),
            (json!({ "backup:view": true }), vec![]),
            (json!(7), vec![]),
        ] {
            assert_eq!(scopes(&claim), expected, "{claim}");
        }
    }
}

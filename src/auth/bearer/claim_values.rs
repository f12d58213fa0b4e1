//! Reads the values of claims in the forms in which providers write them. A form is accepted if it has only
//! one meaning. Nothing is guessed, and every result is literally in the claim.

use serde_json::Value;

use crate::domain::caller::Scope;

/// The largest integer that every JSON library reads exactly (RFC 8259, 6). Beyond it a provider may have
/// rounded two ids, and so two organizations, to one.
const MAX_EXACT_INTEGER: u64 = (1 << 53) - 1;
/// Seconds since the Unix epoch that no valid time reaches (the year 33658). Values in milliseconds do, and a
/// token that expires in thousands of years is a mistake.
const MAX_TIME: f64 = 1e12;

/// Returns a name: text, or an integer (the numeric id of a database).
pub(super) fn name(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => {
            number.as_u64().filter(|number| *number <= MAX_EXACT_INTEGER).map(|number| number.to_string())
        }
        _ => None,
    }
}

/// Returns seconds since the Unix epoch: a number, integral or not (RFC 7519, 2), or its digits as text.
pub(super) fn time(claim: &Value) -> Option<f64> {
    let seconds = match claim {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    seconds.filter(|seconds| *seconds < MAX_TIME)
}

/// Returns whether this text is the claim, or one of several in it.
pub(super) fn has(claim: &Value, text: &str) -> bool {
    match claim {
        Value::String(one) => one == text,
        Value::Array(many) => many.iter().any(|one| one.as_str() == Some(text)),
        _ => false,
    }
}

/// Returns the scopes of this service in a claim: text separated by spaces, or an array of them.
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

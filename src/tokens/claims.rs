//! What a token says, and whether that is enough. Pure: the signature has been verified, and the time is an argument.

use serde::Deserialize;

use crate::domain::caller::{Caller, Scope};
use crate::domain::ids::OrgId;

/// Seconds that the issuer's clock may be off.
const LEEWAY: f64 = 30.0;
/// The longest subject, in bytes: it is written to the history.
const LONGEST_SUB: usize = 255;

/// The claims that are looked at (RFC 7519; `scope`: RFC 8693). A claim that is there twice is an error.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
    sub: Option<String>,
    scope: Option<String>,
    permissions: Option<Vec<String>>,
    org: Option<String>,
    organization_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What `iss` and `aud` have to be.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub issuer: String,
    pub audience: String,
}

impl Claims {
    /// The caller that these claims describe at `now` (seconds since the Unix epoch), or what is wrong with them.
    pub fn check(self, expected: &Expected, now: f64) -> Result<Caller, &'static str> {
        if self.iss.as_deref() != Some(&expected.issuer) {
            return Err("iss is another");
        }
        let for_us = match &self.aud {
            None => false,
            Some(Audience::One(one)) => *one == expected.audience,
            Some(Audience::Many(many)) => many.contains(&expected.audience),
        };
        if !for_us {
            return Err("aud is another");
        }
        if self.exp.ok_or("exp is missing")? <= now - LEEWAY {
            return Err("it has expired");
        }
        if self.nbf.is_some_and(|nbf| nbf > now + LEEWAY) {
            return Err("it is not valid yet");
        }
        let sub = self.sub.ok_or("sub is missing")?;
        if !is_sub(&sub) {
            return Err("sub is empty, too long or not printable");
        }
        let org = match (self.org, self.organization_id) {
            (Some(one), Some(other)) if one != other => return Err("org and organization_id differ"),
            (one, other) => one.or(other),
        };
        let org =
            org.map(|org| OrgId::parse(&org)).transpose().map_err(|_| "org is not an organization's id")?;
        let in_scope = self.scope.iter().flat_map(|scope| scope.split_ascii_whitespace());
        let permitted = self.permissions.iter().flatten().map(String::as_str);
        let scopes = in_scope.chain(permitted).filter_map(Scope::parse).collect();
        Caller::new(sub, org, scopes).ok_or("org is missing")
    }
}

/// Whether this can be a subject.
pub(super) fn is_sub(text: &str) -> bool {
    (1..=LONGEST_SUB).contains(&text.len()) && !text.trim().is_empty() && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: f64 = 1_800_000_000.0;

    fn check(changes: &Value) -> Result<Caller, &'static str> {
        let mut claims = json!({
            "iss": "https://login.example", "aud": "backups", "sub": "portal", "org": "acme",
            "exp": 1_800_000_060, "scope": "openid backup:view backup:delete",
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let expected =
            Expected { issuer: "https://login.example".to_owned(), audience: "backups".to_owned() };
        // A claim of the wrong kind does not even become `Claims`.
        serde_json::from_value::<Claims>(claims).map_err(|_| "malformed")?.check(&expected, NOW)
    }

    #[test]
    fn good_claims_make_a_caller() {
        for changes in [
            json!({}),
            json!({ "aud": ["other", "backups"] }),
            json!({ "exp": 1_800_000_000.5 }),
            json!({ "exp": 1_799_999_971 }),
            json!({ "exp": 1e300 }),
            json!({ "nbf": 1_800_000_030 }),
            json!({ "org": null, "organization_id": "acme" }),
            json!({ "organization_id": "acme" }),
            json!({ "scope": null, "permissions": ["backup:delete", "backup:view", "other"] }),
            json!({ "scope": "backup:view", "permissions": ["backup:delete"] }),
            json!({ "nonsense": { "a": [1] }, "iat": "yesterday" }),
        ] {
            let caller = check(&changes).unwrap_or_else(|why| panic!("{changes}: {why}"));
            assert_eq!((caller.sub(), caller.org().unwrap().as_str()), ("portal", "acme"), "{changes}");
            assert!(caller.may(Scope::View) && caller.may(Scope::Delete), "{changes}");
            assert!(!caller.may(Scope::Create) && !caller.may(Scope::Admin), "{changes}");
        }
    }

    #[test]
    fn anything_else_makes_none() {
        let long = "x".repeat(256);
        for (changes, why) in [
            (json!({ "iss": null }), "iss is another"),
            (json!({ "iss": "https://login.example/" }), "iss is another"),
            (json!({ "iss": ["https://login.example"] }), "malformed"),
            (json!({ "aud": null }), "aud is another"),
            (json!({ "aud": "backups2" }), "aud is another"),
            (json!({ "aud": [] }), "aud is another"),
            (json!({ "aud": { "backups": 1 } }), "malformed"),
            (json!({ "exp": null }), "exp is missing"),
            (json!({ "exp": "1800000060" }), "malformed"),
            (json!({ "exp": 1_799_999_970 }), "it has expired"),
            (json!({ "exp": -1 }), "it has expired"),
            (json!({ "nbf": 1_800_000_031 }), "it is not valid yet"),
            (json!({ "nbf": "now" }), "malformed"),
            (json!({ "sub": null }), "sub is missing"),
            (json!({ "sub": 7 }), "malformed"),
            (json!({ "sub": "" }), "sub is empty, too long or not printable"),
            (json!({ "sub": " " }), "sub is empty, too long or not printable"),
            (json!({ "sub": "a\nb" }), "sub is empty, too long or not printable"),
            (json!({ "sub": long }), "sub is empty, too long or not printable"),
            (json!({ "org": null }), "org is missing"),
            (json!({ "org": "" }), "org is not an organization's id"),
            (json!({ "org": "../acme" }), "org is not an organization's id"),
            (json!({ "org": ["acme"] }), "malformed"),
            (json!({ "organization_id": "other" }), "org and organization_id differ"),
            (json!({ "permissions": "backup:view" }), "malformed"),
        ] {
            assert_eq!(check(&changes), Err(why), "{changes}");
        }
    }

    #[test]
    fn a_claim_that_is_there_twice_is_an_error() {
        assert!(serde_json::from_str::<Claims>(r#"{"org": "acme", "org": "other"}"#).is_err());
    }

    #[test]
    fn an_admin_needs_no_organization() {
        let caller = check(&json!({ "org": null, "scope": "backup:admin backup:view" })).unwrap();
        assert!(caller.org().is_none() && caller.sees("whichever"));
    }
}

//! The claims of a token, and whether they suffice. Pure: the signature is verified, and the time is an
//! argument.

use serde::Deserialize;
use serde_json::Value;

use super::claim_values::{has, name, scopes, time};
use crate::domain::caller::{Caller, Scope};
use crate::domain::ids::OrgId;

/// Tolerated difference from the issuer's clock, in seconds.
const LEEWAY: f64 = 30.0;
/// The longest subject, in bytes: it is written to the history.
const MAX_SUB_BYTES: usize = 255;

/// The claims that this service reads (RFC 7519; `scope`: RFC 8693), in any form: [`check`](Self::check) reads
/// only those that it needs. A duplicate claim is an error; `null` is the same as a missing one. Other claims
/// are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Claims {
    iss: Value,
    aud: Value,
    exp: Value,
    nbf: Value,
    sub: Value,
    scope: Value,
    permissions: Value,
    scp: Value,
    roles: Value,
    org: Value,
    organization_id: Value,
}

/// The required values of `iss` and `aud`.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub issuer: String,
    pub audience: String,
}

impl Claims {
    /// Returns the caller that these claims describe at `now` (seconds since the Unix epoch), or what is wrong
    /// with them.
    pub fn check(&self, expected: &Expected, now: f64) -> Result<Caller, &'static str> {
        if self.iss.as_str() != Some(&expected.issuer) {
            return Err("iss does not match JWT_ISSUER");
        }
        if !has(&self.aud, &expected.audience) {
            return Err("aud does not match JWT_AUDIENCE");
        }
        if self.exp.is_null() {
            return Err("exp is missing");
        }
        if time(&self.exp).ok_or("exp is not a time")? <= now - LEEWAY {
            return Err("it has expired");
        }
        if !self.nbf.is_null() && time(&self.nbf).ok_or("nbf is not a time")? > now + LEEWAY {
            return Err("it is not valid yet");
        }
        if self.sub.is_null() {
            return Err("sub is missing");
        }
        let sub = name(&self.sub).filter(|sub| is_sub(sub));
        let sub = sub.ok_or("sub is empty, too long or not printable")?;
        Caller::new(sub, self.organization()?, self.scopes()).ok_or("org is missing")
    }

    fn organization(&self) -> Result<Option<OrgId>, &'static str> {
        let read = |claim: &Value| match claim {
            Value::Null => Ok(None),
            claim => {
                let id = name(claim).and_then(|text| OrgId::parse(&text).ok());
                id.map(Some).ok_or("org is not an organization's id")
            }
        };
        match (read(&self.org)?, read(&self.organization_id)?) {
            (Some(one), Some(other)) if one != other => Err("org and organization_id differ"),
            (one, other) => Ok(one.or(other)),
        }
    }

    /// Returns the scopes of `scope` and `permissions` together. Only a token that has neither is read by
    /// `scp`, some providers' name for `scope`; and only one without `scp`, too, by `roles`. Where a provider
    /// sends both (Entra ID: a program that acts for a person), `scp` is what the program may do and `roles`
    /// what the person may do: together they would permit more than either.
    fn scopes(&self) -> Vec<Scope> {
        if !self.scope.is_null() || !self.permissions.is_null() {
            [scopes(&self.scope), scopes(&self.permissions)].concat()
        } else if self.scp.is_null() {
            scopes(&self.roles)
        } else {
            scopes(&self.scp)
        }
    }
}

/// Returns whether this text is a valid subject.
pub(super) fn is_sub(text: &str) -> bool {
    (1..=MAX_SUB_BYTES).contains(&text.len()) && !text.trim().is_empty() && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

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
        serde_json::from_value::<Claims>(claims).unwrap().check(&expected, NOW)
    }

    #[test]
    fn good_claims_make_a_caller() {
        for changes in [
            json!({}),
            json!({ "aud": ["other", "backups"] }),
            json!({ "exp": 1_800_000_000.5 }),
            json!({ "exp": 1_799_999_971 }),
            json!({ "exp": 253_402_300_799_u64 }),
            json!({ "nbf": 1_800_000_030 }),
            json!({ "org": null, "organization_id": "acme" }),
            json!({ "organization_id": "acme" }),
            json!({ "scope": null, "permissions": ["backup:delete", "backup:view", "other"] }),
            json!({ "scope": "backup:view", "permissions": ["backup:delete"] }),
            json!({ "scope": ["openid", "backup:view", "backup:delete"] }),
            json!({ "scope": null, "permissions": "backup:view backup:delete" }),
            json!({ "permissions": [{ "rsid": 1, "scopes": ["backup:admin"] }] }),
            json!({ "permissions": { "backup:create": true } }),
            json!({ "scope": null, "scp": ["backup:view", "backup:delete"] }),
            json!({ "scope": null, "scp": "backup:view backup:delete" }),
            json!({ "scope": null, "roles": ["backup:view", "backup:delete"] }),
            // What a person may do is not what a program may do for them.
            json!({ "scp": ["backup:admin"], "roles": ["backup:admin", "backup:create"] }),
            json!({ "scope": null, "scp": "backup:view backup:delete", "roles": ["backup:admin"] }),
            json!({ "exp": "1800000060", "nbf": "1799999000" }),
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
            (json!({ "iss": null }), "iss does not match JWT_ISSUER"),
            (json!({ "iss": "https://login.example/" }), "iss does not match JWT_ISSUER"),
            (json!({ "iss": ["https://login.example"] }), "iss does not match JWT_ISSUER"),
            (json!({ "aud": null }), "aud does not match JWT_AUDIENCE"),
            (json!({ "aud": "backups2" }), "aud does not match JWT_AUDIENCE"),
            (json!({ "aud": [] }), "aud does not match JWT_AUDIENCE"),
            (json!({ "aud": { "backups": 1 } }), "aud does not match JWT_AUDIENCE"),
            (json!({ "aud": [["backups"], { "backups": 1 }] }), "aud does not match JWT_AUDIENCE"),
            (json!({ "exp": null }), "exp is missing"),
            (json!({ "exp": "1799999970" }), "it has expired"),
            (json!({ "exp": "tomorrow" }), "exp is not a time"),
            (json!({ "exp": 1_800_000_060_000_u64 }), "exp is not a time"),
            (json!({ "exp": [1_800_000_060] }), "exp is not a time"),
            (json!({ "exp": 1_799_999_970 }), "it has expired"),
            (json!({ "exp": -1 }), "it has expired"),
            (json!({ "nbf": 1_800_000_031 }), "it is not valid yet"),
            (json!({ "nbf": "1800000031" }), "it is not valid yet"),
            (json!({ "nbf": "now" }), "nbf is not a time"),
            (json!({ "nbf": {} }), "nbf is not a time"),
            (json!({ "sub": null }), "sub is missing"),
            (json!({ "sub": 7.5 }), "sub is empty, too long or not printable"),
            (json!({ "sub": ["portal"] }), "sub is empty, too long or not printable"),
            (json!({ "sub": "" }), "sub is empty, too long or not printable"),
            (json!({ "sub": " " }), "sub is empty, too long or not printable"),
            (json!({ "sub": "a\nb" }), "sub is empty, too long or not printable"),
            (json!({ "sub": long }), "sub is empty, too long or not printable"),
            (json!({ "org": null }), "org is missing"),
            (json!({ "org": "" }), "org is not an organization's id"),
            (json!({ "org": "../acme" }), "org is not an organization's id"),
            (json!({ "org": ["acme"] }), "org is not an organization's id"),
            (json!({ "org": 7.0 }), "org is not an organization's id"),
            (json!({ "organization_id": "other" }), "org and organization_id differ"),
            (json!({ "organization_id": 7 }), "org and organization_id differ"),
            (json!({ "organization_id": ["acme"] }), "org is not an organization's id"),
        ] {
            assert_eq!(check(&changes), Err(why), "{changes}");
        }
    }

    #[test]
    fn a_claim_that_is_there_twice_is_an_error() {
        assert!(serde_json::from_str::<Claims>(r#"{"org": "acme", "org": "other"}"#).is_err());
    }

    #[test]
    fn ids_that_are_numbers_are_those_of_their_digits() {
        let changes = json!({ "sub": 42, "org": 4711, "organization_id": "4711" });
        let caller = check(&changes).unwrap();
        assert_eq!((caller.sub(), caller.org().unwrap().as_str()), ("42", "4711"));
    }

    #[test]
    fn a_token_that_has_scopes_is_not_read_by_roles() {
        for changes in [
            json!({ "scope": "", "roles": ["backup:view"] }),
            json!({ "scope": 7, "scp": ["backup:view"] }),
            json!({ "scope": null, "permissions": [], "scp": ["backup:view"] }),
            json!({ "scope": null, "scp": [], "roles": ["backup:view"] }),
        ] {
            let caller = check(&changes).unwrap();
            assert!(Scope::ALL.into_iter().all(|scope| !caller.may(scope)), "{changes}");
        }
    }

    #[test]
    fn an_admin_needs_no_organization() {
        let caller = check(&json!({ "org": null, "scope": "backup:admin backup:view" })).unwrap();
        assert!(caller.org().is_none() && caller.sees_any_of(&["whichever"]));
    }

    /// Values of every kind, among them the service's own values and similar ones.
    fn anything() -> impl Strategy<Value = Value> {
        let words =
            "(backup:view|backup:admin|backup:create|Backup:Delete|backup:|acme|backups|7|,| |.){0,4}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (0..9_i64).prop_map(Value::from),
            words.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-z:]{0,8}", inner), 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Every word in a claim, as the whole value or as an element.
    fn words(claim: &Value) -> Vec<String> {
        match claim {
            Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
            Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => vec![],
        }
    }

    proptest! {
        #[test]
        fn a_caller_has_nothing_that_is_not_literally_in_the_token(
            changed in prop::collection::vec(
                (prop::sample::select(vec!["scope", "permissions", "scp", "roles", "org", "organization_id", "sub", "exp",
                    "nbf", "aud", "iss", "iat", "other"]), anything()),
                0..6,
            ),
        ) {
            let changes: Map<String, Value> =
                changed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let said = |name: &str| changes.get(name).cloned().unwrap_or(Value::Null);
            if let Ok(caller) = check(&Value::Object(changes.clone())) {
                let mut permitted = words(changes.get("scope").unwrap_or(&json!("backup:view backup:delete")));
                for name in ["permissions", "scp", "roles"] {
                    permitted.extend(words(&said(name)));
                }
                for scope in Scope::ALL {
                    prop_assert!(!caller.may(scope) || permitted.iter().any(|word| word == scope.as_str()));
                }
                if let Some(org) = caller.org() {
                    let one = changes.get("org").cloned().unwrap_or(json!("acme"));
                    let other = said("organization_id");
                    let is_org = |claim: &Value| claim == org.as_str() || claim.as_u64().is_some_and(|n| n.to_string() == org.as_str());
                    prop_assert!(is_org(&one) || is_org(&other));
                    prop_assert!(one.is_null() || other.is_null() || (is_org(&one) && is_org(&other)));
                }
            }
        }
    }
}

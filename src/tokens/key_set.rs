//! A JSON Web Key Set (RFC 7517): of each key its id and the one algorithm that it is good for.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// No provider has more keys at a time; further ones are ignored.
const AT_MOST: usize = 64;

/// A public key and its algorithm. The algorithm in a token's header has to be this one, and decides nothing.
pub(super) struct Key {
    kid: Option<String>,
    pub algorithm: Algorithm,
    pub verifies: DecodingKey,
}

/// The keys of a set that tokens can be verified with; never none.
pub(super) struct KeySet(Vec<Key>);

/// The members that matter, of all kinds of keys.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a set. Keys that are of no use here are passed over: those for encryption, of other kinds, or secret.
    pub fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let set: Jwks = serde_json::from_slice(text).map_err(|_| "it is not a JSON Web Key Set")?;
        let jwks = set.keys.into_iter().take(AT_MOST).filter_map(|key| serde_json::from_value(key).ok());
        let keys: Vec<Key> = jwks.filter_map(Key::of).collect();
        if keys.is_empty() { Err("no key in it is one for RS256, ES256 or EdDSA") } else { Ok(Self(keys)) }
    }

    /// The key that a token's header names. A header without a key id means the only key of its algorithm.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let fits = |key: &&Key| key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid);
        let mut found = self.0.iter().filter(fits);
        found.next().filter(|_| kid.is_some() || found.next().is_none())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Self> {
        let signs = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"));
        let (algorithm, names): (_, &[&str]) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => (Algorithm::RS256, &["RS256"]),
            ("EC", Some("P-256")) => (Algorithm::ES256, &["ES256"]),
            // RFC 9864 names the curve's algorithm anew.
            ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, &["EdDSA", "Ed25519"]),
            _ => return None,
        };
        if !signs || jwk.alg.as_deref().is_some_and(|alg| !names.contains(&alg)) {
            return None;
        }
        let key = match algorithm {
            Algorithm::RS256 => DecodingKey::from_rsa_components(jwk.n.as_deref()?, jwk.e.as_deref()?),
            Algorithm::ES256 => DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?),
            _ => DecodingKey::from_ed_components(jwk.x.as_deref()?),
        };
        Some(Self { kid: jwk.kid, algorithm, verifies: key.ok()? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(keys: &Value) -> Result<KeySet, &'static str> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    fn algorithm(key: &Value) -> Option<Algorithm> {
        Some(parse(&json!([key])).ok()?.0[0].algorithm)
    }

    #[test]
    fn a_key_is_good_for_the_algorithm_of_its_kind_only() {
        for (key, expected) in [
            (json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }), Some(Algorithm::RS256)),
            (
                json!({ "kty": "RSA", "alg": "RS256", "use": "sig", "n": "AQAB", "e": "AQAB" }),
                Some(Algorithm::RS256),
            ),
            (json!({ "kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB" }), Some(Algorithm::ES256)),
            (json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQAB" }), Some(Algorithm::EdDSA)),
            (
                json!({ "kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "x": "AQAB" }),
                Some(Algorithm::EdDSA),
            ),
            (
                json!({ "kty": "RSA", "key_ops": ["verify"], "n": "AQAB", "e": "AQAB" }),
                Some(Algorithm::RS256),
            ),
            (json!({ "kty": "RSA", "alg": "HS256", "n": "AQAB", "e": "AQAB" }), None),
            (json!({ "kty": "RSA", "alg": "PS256", "n": "AQAB", "e": "AQAB" }), None),
            (json!({ "kty": "RSA", "alg": "none", "n": "AQAB", "e": "AQAB" }), None),
            (json!({ "kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB" }), None),
            (json!({ "kty": "RSA", "key_ops": ["encrypt"], "n": "AQAB", "e": "AQAB" }), None),
            (json!({ "kty": "RSA", "n": "AQAB" }), None),
            (json!({ "kty": "RSA", "n": "not base64!", "e": "AQAB" }), None),
            (json!({ "kty": "EC", "crv": "P-384", "x": "AQAB", "y": "AQAB" }), None),
            (json!({ "kty": "EC", "crv": "P-256", "alg": "RS256", "x": "AQAB", "y": "AQAB" }), None),
            (json!({ "kty": "OKP", "crv": "X25519", "x": "AQAB" }), None),
            (json!({ "kty": "oct", "k": "AQAB" }), None),
            (json!("text"), None),
        ] {
            assert_eq!(algorithm(&key), expected, "{key}");
        }
    }

    #[test]
    fn a_set_without_a_usable_key_is_none() {
        for text in [&b""[..], b"{}", b"[]", b"<html>", br#"{"keys": []}"#, br#"{"keys": {}}"#] {
            assert!(KeySet::parse(text).is_err());
        }
    }

    #[test]
    fn a_key_is_found_by_id_and_algorithm_and_without_an_id_only_if_there_is_no_choice() {
        let rsa = |kid: &str| json!({ "kty": "RSA", "kid": kid, "n": "AQAB", "e": "AQAB" });
        let ec = json!({ "kty": "EC", "kid": "b", "crv": "P-256", "x": "AQAB", "y": "AQAB" });
        let set = parse(&json!([rsa("a"), ec, rsa("b"), { "kty": "oct", "kid": "c", "k": "AQAB" }])).unwrap();
        assert_eq!(set.len(), 3);
        for (kid, algorithm, found) in [
            (Some("a"), Algorithm::RS256, true),
            (Some("a"), Algorithm::ES256, false),
            (Some("b"), Algorithm::ES256, true),
            (Some("b"), Algorithm::RS256, true),
            (Some("c"), Algorithm::HS256, false),
            (Some("d"), Algorithm::RS256, false),
            (None, Algorithm::RS256, false),
            (None, Algorithm::ES256, true),
            (None, Algorithm::EdDSA, false),
        ] {
            assert_eq!(set.find(kid, algorithm).is_some(), found, "{kid:?} {algorithm:?}");
        }
    }
}

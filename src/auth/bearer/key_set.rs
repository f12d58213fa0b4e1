//! A JSON Web Key Set (RFC 7517): the id and the one algorithm of each key, and what to log about skipped
//! keys.

use std::collections::HashMap;
use std::fmt;

use jsonwebtoken::Algorithm;
use log::Level;
use serde_json::Value;

use super::jwk::{Key, UnusableKey};

/// Maximum keys that are tried for one token, so that it cannot cost a hundred verifications. No provider
/// publishes as many keys that one token could mean.
const MAX_CANDIDATES: usize = 8;
/// Maximum characters of a key's id in the log.
const MAX_KID_CHARS: usize = 40;
/// Maximum reasons in one error.
const MAX_REASONS: usize = 3;

/// The usable keys of a set; never empty.
pub(super) struct KeySet {
    keys: Vec<Key>,
    remarks: Vec<Remark>,
}

/// A note to the operator about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remark {
    /// The key's name, in printable characters.
    key: String,
    what: &'static str,
    is_used: bool,
    pub level: Level,
}

impl KeySet {
    /// Parses a set. Its source bounds its size, and so the number of its keys.
    ///
    /// # Errors
    /// One line, which contains nothing of the text: that may contain a private key.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        // Some editors begin a file with a byte order mark.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let set: Value = serde_json::from_slice(text).map_err(|_| "it is not a JSON Web Key Set")?;
        let jwks = set["keys"].as_array().ok_or("it is not a JSON Web Key Set: it has no array \"keys\"")?;
        let (mut keys, mut remarks, mut alike) = (vec![], vec![], HashMap::<_, usize>::new());
        for (index, jwk) in jwks.iter().enumerate() {
            let remark = |what, is_used, level| Remark { key: printable(jwk, index), what, is_used, level };
            match Key::read(jwk) {
                Ok(key) => {
                    let before = alike.entry((key.kid.clone(), key.algorithm)).or_default();
                    *before += 1;
                    if *before > MAX_CANDIDATES {
                        let what = "8 keys before it have the same algorithm and the same id (kid) or none";
                        remarks.push(remark(what, false, Level::Warn));
                        continue;
                    }
                    if key.is_exposed {
                        let what = "its private half (d) is in the set, and whoever reads that can make tokens: \
                                    replace the key";
                        remarks.push(remark(what, true, Level::Warn));
                    }
                    keys.push(key);
                }
                Err(UnusableKey::Foreign(what)) => remarks.push(remark(what, false, Level::Info)),
                Err(UnusableKey::Broken(what)) => remarks.push(remark(what, false, Level::Warn)),
            }
        }
        if !keys.is_empty() {
            return Ok(Self { keys, remarks });
        }
        let reasons: Vec<_> = remarks.iter().take(MAX_REASONS).map(|remark| format!("; {remark}")).collect();
        Err(format!("no key in it is one for RS256, ES256 or EdDSA{}", reasons.concat()))
    }

    /// Returns the keys that a token of this algorithm may mean, the likeliest first: those with its key id,
    /// then those without an id. A token that names no key may mean any.
    pub fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        let named = move |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
        let nameless = move |key: &&Key| kid.is_some() && key.kid.is_none();
        let of_kind = move || self.keys.iter().filter(move |key| key.algorithm == algorithm);
        of_kind().filter(named).chain(of_kind().filter(nameless)).take(MAX_CANDIDATES)
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        if self.is_used {
            write!(f, "key {}: {what}", self.key)
        } else {
            write!(f, "key {} is left out: {what}", self.key)
        }
    }
}

/// Returns a key's id for the log, or its position in the set.
fn printable(jwk: &Value, index: usize) -> String {
    match super::claim_values::name(&jwk["kid"]) {
        None => format!("number {}", index + 1),
        Some(kid) => {
            let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
            let short: String = kid.chars().take(MAX_KID_CHARS).map(plain).collect();
            let rest = if kid.chars().nth(MAX_KID_CHARS).is_some() { "..." } else { "" };
            format!("\"{short}{rest}\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rsa(kid: &Value) -> Value {
        json!({ "kty": "RSA", "kid": kid, "n": URL_SAFE_NO_PAD.encode([0x81; 256]), "e": "AQAB" })
    }

    fn ec(kid: &Value) -> Value {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
        json!({ "kty": "EC", "kid": kid, "crv": "P-256", "x": x, "y": y })
    }

    fn parse(keys: &[Value]) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_set_without_a_usable_key_is_none() {
        for text in
            [&b""[..], b"{}", b"[]", b"<html>", br#"{"keys": []}"#, br#"{"keys": {}}"#, br#"{"keys": ["x"]}"#]
        {
            assert!(KeySet::parse(text).is_err());
        }
    }

    #[test]
    fn candidates_have_the_algorithm_and_the_id_or_none_and_are_few() {
        let (a, b, none) = (json!("a"), json!("b"), Value::Null);
        let set = parse(&[rsa(&none), ec(&a), rsa(&a), ec(&b), rsa(&a)]);
        let found = |kid, algorithm| -> Vec<_> {
            set.candidates(kid, algorithm).map(|key| key.kid.clone().unwrap_or_default()).collect()
        };
        assert_eq!(found(Some("a"), Algorithm::RS256), ["a", "a", ""]);
        assert_eq!(found(Some("b"), Algorithm::RS256), [""]);
        assert_eq!(found(Some("b"), Algorithm::ES256), ["b"]);
        assert_eq!(found(Some("c"), Algorithm::ES256), [""; 0]);
        assert_eq!(found(None, Algorithm::RS256), ["", "a", "a"]);
        assert_eq!(found(Some("a"), Algorithm::HS256), [""; 0]);
        let many: Vec<_> = (0..20).map(|n| rsa(&json!(n))).collect();
        assert_eq!(parse(&many).candidates(None, Algorithm::RS256).count(), MAX_CANDIDATES);
    }

    proptest! {
        #[test]
        fn no_set_makes_it_panic(
            text in any::<Vec<u8>>(),
            members in prop::collection::vec(("(kty|kid|use|alg|crv|n|e|x|y|d|key_ops|x5c)", "(RSA|EC|OKP|P-256|[A-Za-z0-9+/_=-]{0,50}|.*)"), 0..9),
            size in 0_usize..1100,
        ) {
            let _ = KeySet::parse(&text);
            let mut jwk = json!({ "kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(vec![0xff; size]) });
            for (name, value) in members {
                jwk[name] = json!(value);
            }
            let read = KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes());
            // One line for the log, whatever the key says.
            let told = match &read {
                Ok(set) => set.remarks().iter().map(ToString::to_string).collect::<String>(),
                Err(why) => why.clone(),
            };
            prop_assert!(!told.contains(char::is_control) && told.len() < 300, "{told}");
        }
    }
}

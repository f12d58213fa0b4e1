//! A token as it is sent: a signed header and payload (JWS, RFC 7515, compact form). Nothing in it can be
//! trusted before its signature is verified.
//!
//! The header is parsed here and not by the library, which refuses a token for members that this service
//! ignores (a `jwk` of an unknown kind, a `kid` that is a number). Only the algorithm, the key id and the
//! presence of extensions matter.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::claim_values::name;
use super::claims::Claims;

/// Used instead of the library's message, which may repeat parts of the token.
const MALFORMED: &str = "it is malformed";

/// The parts of a token.
pub(super) struct Jws<'a> {
    pub algorithm: Algorithm,
    /// The id of the key that the token names.
    pub kid: Option<String>,
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// The members that matter. A duplicate is an error.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Header {
    alg: Value,
    kid: Value,
    crit: Value,
}

impl<'a> Jws<'a> {
    pub fn parse(token: &'a str) -> Result<Self, &'static str> {
        let (message, signature) = token.rsplit_once('.').ok_or(MALFORMED)?;
        let (header, payload) = message.split_once('.').ok_or(MALFORMED)?;
        let is_part = |part: &str| URL_SAFE_NO_PAD.decode(part).is_ok();
        let header: Header = object(header).ok_or(MALFORMED)?;
        // A third dot would be in the payload, whose alphabet has none.
        if !is_part(payload) || !is_part(signature) {
            return Err(MALFORMED);
        }
        if !header.crit.is_null() {
            return Err("it has extensions that have to be understood (crit)");
        }
        let algorithm = match header.alg.as_str() {
            Some("HS256") => Algorithm::HS256,
            Some("RS256") => Algorithm::RS256,
            Some("ES256") => Algorithm::ES256,
            // RFC 9864 gives the curve's algorithm a second name.
            Some("EdDSA" | "Ed25519") => Algorithm::EdDSA,
            _ => return Err("unsupported algorithm (RS256, ES256 and EdDSA are accepted)"),
        };
        let kid = match &header.kid {
            Value::Null => None,
            kid => Some(name(kid).ok_or("its key id (kid) is neither text nor a whole number")?),
        };
        Ok(Self { algorithm, kid, message, payload, signature })
    }

    /// Returns whether this key made the signature by the token's algorithm. The library refuses a key of
    /// another kind.
    pub fn is_signed_by(&self, key: &DecodingKey) -> bool {
        crypto::verify(self.signature, self.message.as_bytes(), key, self.algorithm).unwrap_or(false)
    }

    /// Returns the claims. The caller has verified the signature.
    pub fn claims(&self) -> Result<Claims, &'static str> {
        object(self.payload).ok_or(MALFORMED)
    }
}

/// Decodes the JSON object in this part of a token.
fn object<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    // serde would accept an array of the members as well.
    json.trim_ascii_start().starts_with(b"{").then_some(())?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(header: &str) -> String {
        format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"))
    }

    #[test]
    fn a_header_names_the_algorithm_and_the_key() {
        for (header, algorithm, kid) in [
            (r#"{"alg": "RS256"}"#, Algorithm::RS256, None),
            (r#"{"alg": "RS256", "kid": null}"#, Algorithm::RS256, None),
            (r#"{"alg": "ES256", "kid": "a"}"#, Algorithm::ES256, Some("a")),
            (r#"{"alg": "EdDSA", "kid": 7, "typ": 1}"#, Algorithm::EdDSA, Some("7")),
            (r#"{"alg": "Ed25519", "kid": "", "jwk": {"kty": 1}}"#, Algorithm::EdDSA, Some("")),
            (r#"{"alg": "HS256", "x5c": "text", "x": 1e999}"#, Algorithm::HS256, None),
        ] {
            let token = token(header);
            let jws = Jws::parse(&token).unwrap_or_else(|why| panic!("{header}: {why}"));
            assert_eq!((jws.algorithm, jws.kid.as_deref()), (algorithm, kid), "{header}");
        }
    }

    #[test]
    fn any_other_header_is_refused() {
        for header in [
            "",
            "null",
            r#"["RS256", "a", null]"#,
            r#"{"kid": "a"}"#,
            r#"{"alg": ["RS256"]}"#,
            r#"{"alg": "none"}"#,
            r#"{"alg": "rs256"}"#,
            r#"{"alg": "RS384"}"#,
            r#"{"alg": "none", "alg": "RS256"}"#,
            r#"{"alg": "RS256", "kid": "a", "kid": "b"}"#,
            r#"{"alg": "RS256", "kid": {}}"#,
            r#"{"alg": "RS256", "kid": 1.5}"#,
            r#"{"alg": "RS256", "crit": []}"#,
            r#"{"alg": "RS256", "crit": false}"#,
        ] {
            assert!(Jws::parse(&token(header)).is_err(), "{header}");
        }
        let good = token(r#"{"alg": "RS256"}"#);
        for bad in [
            "",
            ".",
            "..",
            "a.b",
            &good[1..],
            &format!("{good}."),
            &format!("{good}.AAAA"),
            &format!("{good}="),
        ] {
            assert!(Jws::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_payload_that_is_no_object_makes_no_claims() {
        for payload in
            ["", "null", "[]", "7", r#""text""#, r#"["https://login.example", "backups"]"#, r#"{"a": }"#]
        {
            let token = format!(
                "{}.{}.",
                URL_SAFE_NO_PAD.encode(r#"{"alg": "RS256"}"#),
                URL_SAFE_NO_PAD.encode(payload)
            );
            assert!(Jws::parse(&token).unwrap().claims().is_err(), "{payload}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", header in ".*", payload in any::<Vec<u8>>()) {
            let _ = Jws::parse(&text);
            let token = format!("{}.{}.", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(&payload));
            let _ = Jws::parse(&token).map(|jws| jws.claims().is_ok());
            let _ = object::<Claims>(&URL_SAFE_NO_PAD.encode(&payload));
        }
    }
}

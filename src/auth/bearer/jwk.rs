//! One key of a set (JSON Web Key, RFC 7517, 7518, 8037), as providers write it. It is normalised where it has
//! only one meaning, and otherwise skipped with a reason for the log.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::claim_values::{has, name};

/// Length of a coordinate on the curve P-256, and of an Ed25519 key, in bytes.
const COORDINATE: usize = 32;
/// Sizes of a modulus in bits, and the exponents, with which signatures can be verified.
const MODULUS: std::ops::RangeInclusive<usize> = 2048..=8192;
const EXPONENT: std::ops::Range<u64> = 3..1 << 33;

/// A public key and its algorithm. A token's header has to name this algorithm; it cannot choose another.
pub(super) struct Key {
    pub kid: Option<String>,
    pub algorithm: Algorithm,
    pub verifies: DecodingKey,
    /// The set contains its private key as well.
    pub is_exposed: bool,
}

/// Why a key is not used. The text contains nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnusableKey {
    /// The key has another purpose: providers publish keys for other services, too.
    Foreign(&'static str),
    /// The key should be usable, but is not.
    Broken(&'static str),
}

use UnusableKey::{Broken, Foreign};

impl Key {
    pub fn read(jwk: &Value) -> Result<Self, UnusableKey> {
        let (algorithm, names): (_, &[&str]) = match (jwk["kty"].as_str(), jwk["crv"].as_str()) {
            (Some("RSA"), _) => (Algorithm::RS256, &["RS256"]),
            (Some("EC"), Some("P-256")) => (Algorithm::ES256, &["ES256"]),
            // RFC 9864 gives the curve's algorithm a second name.
            (Some("OKP"), Some("Ed25519")) => (Algorithm::EdDSA, &["EdDSA", "Ed25519"]),
            (Some("EC" | "OKP"), _) => return Err(Foreign("its curve (crv) is not P-256 or Ed25519")),
            (Some("oct"), _) => {
                return Err(Broken(
                    "it is a secret key (oct): replace it, everybody who reads the set knows it",
                ));
            }
            _ => return Err(Foreign("its kind (kty) is not RSA, EC or OKP")),
        };
        is_meant(jwk, names)?;
        let kid = match &jwk["kid"] {
            Value::Null => None,
            kid => Some(name(kid).ok_or(Broken("its id (kid) is neither text nor a whole number"))?),
        };
        let verifies = match algorithm {
            Algorithm::RS256 => rsa(jwk)?,
            Algorithm::ES256 => ec(jwk)?,
            _ => ed(jwk)?,
        };
        Ok(Self { kid, algorithm, verifies, is_exposed: !jwk["d"].is_null() })
    }
}

/// Returns whether this key is meant to verify signatures by one of these algorithms.
fn is_meant(jwk: &Value, names: &[&str]) -> Result<(), UnusableKey> {
    if !jwk["use"].is_null() && jwk["use"] != "sig" {
        return Err(Foreign("it is not for signatures (use)"));
    }
    if !jwk["key_ops"].is_null() && !has(&jwk["key_ops"], "verify") {
        return Err(Foreign("it is not to verify signatures (key_ops)"));
    }
    if !jwk["alg"].is_null() && !names.iter().any(|name| jwk["alg"] == *name) {
        return Err(Foreign(
            "its algorithm (alg) is not the one of RS256, ES256 and EdDSA that fits its kind",
        ));
    }
    Ok(())
}

fn rsa(jwk: &Value) -> Result<DecodingKey, UnusableKey> {
    let (n, e) = pair(jwk, "n", "e", "its n or e is missing", "its n or e is not base64")?;
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    if bits < *MODULUS.start() {
        return Err(Broken("it is an RSA key of less than 2048 bits"));
    }
    if bits > *MODULUS.end() {
        return Err(Broken("it is an RSA key of more than 8192 bits"));
    }
    let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    let exponent = (e.len() <= 8).then(|| e.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    if !odd(&n) || !odd(&e) || !exponent.is_some_and(|exponent| EXPONENT.contains(&exponent)) {
        return Err(Broken("its n and e are not those of an RSA key"));
    }
    Ok(DecodingKey::from_rsa_raw_components(&n, &e))
}

fn ec(jwk: &Value) -> Result<DecodingKey, UnusableKey> {
    let (x, y) = pair(jwk, "x", "y", "its x or y is missing", "its x or y is not base64")?;
    let off_curve = Broken("its x and y are no point on the curve P-256");
    let padded = |short: &[u8]| {
        let missing = COORDINATE.checked_sub(short.len()).ok_or(off_curve)?;
        Ok([&vec![0; missing], short].concat())
    };
    let (x, y) = (padded(&x)?, padded(&y)?);
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| off_curve)?;
    let encode = |coordinate| URL_SAFE_NO_PAD.encode(coordinate);
    DecodingKey::from_ec_components(&encode(x), &encode(y)).map_err(|_| off_curve)
}

fn ed(jwk: &Value) -> Result<DecodingKey, UnusableKey> {
    let x = jwk["x"].as_str().ok_or(Broken("its x is missing"))?;
    // Unlike a number, a key can't be padded: the missing byte could be any.
    let x = decode(x).filter(|x| x.len() == COORDINATE).ok_or(Broken("its x is not 32 bytes in base64"))?;
    DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(x))
        .map_err(|_| Broken("its x is not 32 bytes in base64"))
}

/// Returns two big-endian numbers without leading zeros: some encoders add a zero for the sign, others omit
/// the leading zeros of a coordinate.
fn pair(
    jwk: &Value,
    one: &str,
    other: &str,
    missing: &'static str,
    malformed: &'static str,
) -> Result<(Vec<u8>, Vec<u8>), UnusableKey> {
    let read = |member: &str| match &jwk[member] {
        Value::Null if !jwk["x5c"].is_null() => {
            Err(Broken("it is there only as a certificate (x5c): its numbers are needed"))
        }
        Value::Null => Err(Broken(missing)),
        number => {
            let bytes = number.as_str().and_then(decode).ok_or(Broken(malformed))?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            Ok(bytes[zeros..].to_vec())
        }
    };
    Ok((read(one)?, read(other)?))
}

/// Decodes base64url without padding, as the standard requires; the usual alphabet and padding mean the same.
fn decode(text: &str) -> Option<Vec<u8>> {
    let plain = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    URL_SAFE_NO_PAD.decode(plain).ok()
}

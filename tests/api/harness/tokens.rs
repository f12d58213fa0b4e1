//! The work of an identity provider: keys, key sets, tokens. Another library signs them than the one that the
//! service verifies with.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use ::base64::Engine as _;
use ::base64::engine::general_purpose::URL_SAFE_NO_PAD;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use aws_lc_rs::{hmac, rsa, signature};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Builder, Request, unique};

pub const ISSUER: &str = "https://login.example.org";
pub const AUDIENCE: &str = "strongroom";

/// A key that tokens are signed with.
pub struct SigningKey {
    pub kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(rsa::KeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl SigningKey {
    pub fn rsa() -> Self {
        Self::of(Pair::Rsa(rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("a key")))
    }

    pub fn ec() -> Self {
        Self::of(Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key")))
    }

    pub fn ed() -> Self {
        Self::of(Pair::Ed(Ed25519KeyPair::generate().expect("a key")))
    }

    fn of(pair: Pair) -> Self {
        Self { kid: format!("key-{}", unique()), pair }
    }

    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
            Pair::Ed(_) => "EdDSA",
        }
    }

    /// Returns the public half as a member of a key set.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let n = encode(public.modulus().big_endian_without_leading_zero());
                let e = encode(public.exponent().big_endian_without_leading_zero());
                json!({ "kty": "RSA", "n": n, "e": e })
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) })
            }
            Pair::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Returns the public half as bytes, as an attacker might use it for a secret.
    pub fn public_bytes(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der().expect("DER").as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    pub fn header(&self) -> Value {
        json!({ "alg": self.algorithm(), "typ": "JWT", "kid": self.kid })
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&self.header(), claims)
    }

    /// Signs with this key, whatever the header says.
    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        token(header, claims, |message| match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding = &signature::RSA_PKCS1_SHA256;
                pair.sign(padding, &SystemRandom::new(), message, &mut signature).expect("a signature");
                signature
            }
            Pair::Ec(pair) => {
                pair.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec()
            }
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        })
    }
}

/// Makes a token with any signature.
pub fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message =
        format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", encode(&signature))
}

pub fn hs256(secret: &[u8], header: &Value, claims: &Value) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    token(header, claims, |message| hmac::sign(&key, message).as_ref().to_vec())
}

pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("a time in range")
}

/// Returns claims that are valid for a quarter of an hour.
pub fn claims(org: &str, scope: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "portal@example.org", "org": org, "scope": scope,
        "iat": now(), "exp": now() + 900,
    })
}

/// Returns the claims with some of them changed; `null` removes one.
pub fn changed(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    claims
}

pub fn key_set(keys: &[&SigningKey]) -> String {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string()
}

/// A provider whose key set is in a file.
pub struct Login {
    pub key: SigningKey,
    folder: TempDir,
}

impl Login {
    pub fn new() -> Self {
        Self::with(SigningKey::ed())
    }

    pub fn with(key: SigningKey) -> Self {
        let login = Self { key, folder: TempDir::with_prefix("strongroom-keys-").expect("make a folder") };
        login.publish(&key_set(&[&login.key]));
        login
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("keys.json")
    }

    pub fn publish(&self, text: &str) {
        std::fs::write(self.file(), text).expect("write the key set");
    }

    pub fn token(&self, org: &str, scope: &str) -> String {
        self.key.sign(&claims(org, scope))
    }
}

impl Builder {
    pub fn issuer(self) -> Self {
        self.set("JWT_ISSUER", ISSUER).set("JWT_AUDIENCE", AUDIENCE)
    }

    pub fn login(self, login: &Login) -> Self {
        self.issuer().set("JWT_JWKS_FILE", login.file().display())
    }
}

impl Request<'_> {
    pub fn bearer(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }
}

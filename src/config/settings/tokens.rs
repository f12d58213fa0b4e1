use std::path::PathBuf;

use secrecy::SecretString;

use crate::config::check;
use crate::config::setting::{About, Default::Unset, Group, Kind, Setting, settings};

settings! {
    "Tokens for the management API";

    /// The key set (JWKS) of the identity provider whose tokens are accepted: a URL, https (http only to this
    /// machine). Without any key every token is answered with 401.
    ///
    /// Set this or JWT_JWKS_FILE, not both.
    JWT_JWKS_URL: String {
        Unset { means: "unset", example: "https://login.example.net/.well-known/jwks.json" },
        Kind::Url,
        check::key_set_url,
    }

    /// The key set as a file, instead of JWT_JWKS_URL.
    JWT_JWKS_FILE: PathBuf {
        Unset { means: "unset", example: "/etc/strongroom/jwks.json" }, Kind::Path, check::path
    }

    /// What a token's `iss` has to be.
    ///
    /// Required with a key.
    JWT_ISSUER: String {
        Unset { means: "required with a key", example: "https://login.example.net/" }, Kind::Text, check::text
    }

    /// What a token's `aud` has to be, or to contain.
    ///
    /// Required with a key.
    JWT_AUDIENCE: String {
        Unset { means: "required with a key", example: "strongroom" }, Kind::Text, check::text
    }

    /// For development only: a secret of at least 32 characters that `strongroom token issue` signs tokens with, and
    /// the service accepts them.
    ///
    /// Whoever knows it can make any token.
    JWT_HS256_SECRET: SecretString {
        Unset { means: "unset", example: "" }, Kind::Secret, check::hs256_secret
    }
}

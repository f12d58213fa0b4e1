//! The settings of the S3 store.

use secrecy::SecretString;

/// An S3 engine, a bucket in it, and a key for it. Plain values: this module does not know where they are read from.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// `https://host[:port]`, without a path.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The bucket, which has to exist.
    pub bucket: String,
    /// The access key's id.
    pub access_key: String,
    /// The secret of the access key.
    pub secret_key: SecretString,
    /// Where downloading clients reach the engine, if not at `endpoint`.
    pub presign_endpoint: Option<String>,
}

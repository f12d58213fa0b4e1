//! What the store has to be told.

use secrecy::SecretString;

/// An S3 engine, a bucket in it, and a key for it. Plain values: who reads
/// them from where is not this room's matter.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// `https://host[:port]`, without a path.
    pub endpoint: String,
    /// What requests are signed for.
    pub region: String,
    /// The bucket; it is there already.
    pub bucket: String,
    /// The key's name.
    pub access_key: String,
    /// The key.
    pub secret_key: SecretString,
    /// Where clients reach the engine, if not at `endpoint`.
    pub presign_endpoint: Option<String>,
}

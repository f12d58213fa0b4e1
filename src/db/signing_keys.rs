//! The table `signing_keys`: the keys that sign links, the same in every process.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use secrecy::SecretSlice;

use super::schema::signing_keys;
use super::{Conn, DbError};

/// The keys that sign links: 32 bytes each.
#[derive(Clone)]
pub struct SigningKeys {
    pub current: SecretSlice<u8>,
    /// When the current key replaced the previous one.
    pub replaced_at: DateTime<Utc>,
    /// The key before the current one; `None` if its links are no longer valid.
    pub previous: Option<SecretSlice<u8>>,
}

/// Returns the keys that sign links.
pub fn downloads(conn: &mut Conn) -> Result<SigningKeys, DbError> {
    let (current, replaced_at, previous): (Vec<u8>, DateTime<Utc>, Option<Vec<u8>>) = signing_keys::table
        .find("downloads")
        .select((signing_keys::key, signing_keys::created_at, signing_keys::previous_key))
        .first(conn)?;
    Ok(SigningKeys { current: current.into(), replaced_at, previous: previous.map(Into::into) })
}

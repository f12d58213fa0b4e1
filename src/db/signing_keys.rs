//! `signing_keys`: the keys that download addresses are signed with, the same in every process.

use diesel::prelude::*;
use secrecy::SecretSlice;

use super::schema::signing_keys;
use super::{Conn, DbError};

/// The key of download addresses: 32 bytes.
pub fn downloads(conn: &mut Conn) -> Result<SecretSlice<u8>, DbError> {
    let key: Vec<u8> = signing_keys::table.find("downloads").select(signing_keys::key).first(conn)?;
    Ok(key.into())
}

//! The object key: the name of a backup's object in the store. Only this module builds keys.
//!
//! A key consists of the authenticated identity and a generated id, and of nothing that a client has sent. The alphabets of
//! all three segments have no separator, so no key leads out of its system's prefix.

use std::fmt;

use thiserror::Error;

use super::ids::{BackupId, OrgId, SystemKey};

/// The text is not the key of a backup's object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an object key: must be org/system/uuidv7.ext")]
pub struct InvalidObjectKey;

/// The key of a backup's object: `{org_id}/{system_key}/{uuidv7}.{ext}`, with the id in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    text: String,
    id: BackupId,
}

impl ObjectKey {
    /// Makes the key of a system's backup.
    #[must_use]
    pub fn new(org: &OrgId, system: &SystemKey, id: BackupId) -> Self {
        Self { text: format!("{org}/{system}/{id}"), id }
    }

    /// Parses a key from the database or from a listing of the store.
    ///
    /// # Errors
    /// [`InvalidObjectKey`] for any text that [`ObjectKey::new`] can't have made, also for an id with upper-case letters.
    pub fn parse(text: &str) -> Result<Self, InvalidObjectKey> {
        let mut segments = text.split('/');
        let (Some(org), Some(system), Some(id), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(InvalidObjectKey);
        };
        let org = OrgId::parse(org).map_err(|_| InvalidObjectKey)?;
        let system = SystemKey::parse(system).map_err(|_| InvalidObjectKey)?;
        let id = BackupId::parse(id).map_err(|_| InvalidObjectKey)?;
        let key = Self::new(&org, &system, id);
        if key.text == text { Ok(key) } else { Err(InvalidObjectKey) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the id of the organization that the object was written for.
    #[must_use]
    pub fn org(&self) -> &str {
        self.text.split('/').next().unwrap_or_default()
    }

    /// Returns the key of the system that the object was written for.
    #[must_use]
    pub fn system(&self) -> &str {
        self.text.split('/').nth(1).unwrap_or_default()
    }

    /// Returns the backup's id.
    #[must_use]
    pub const fn id(&self) -> BackupId {
        self.id
    }

    /// Returns the prefix of this key and of all other keys of its system: `org/system/`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.text.rfind('/').map_or("", |slash| &self.text[..=slash])
    }

    /// Returns the prefix of all keys of a system: `org/system/`. No other key has it.
    #[must_use]
    pub fn prefix_of(org: &OrgId, system: &SystemKey) -> String {
        format!("{org}/{system}/")
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "acme/fw-01/018f3a5c-7b1e-7c3d-9a2b-0123456789ab.tar.gz";

    #[test]
    fn a_key_is_built_from_its_parts_and_read_back() {
        let org = OrgId::parse("acme").unwrap();
        let system = SystemKey::parse("fw-01").unwrap();
        let id = BackupId::parse("018F3A5C-7b1e-7c3d-9a2b-0123456789ab.TAR.gz").unwrap();
        let key = ObjectKey::new(&org, &system, id);
        assert_eq!(key.as_str(), KEY);
        assert_eq!(ObjectKey::parse(KEY), Ok(key.clone()));
        assert!(KEY.starts_with(&ObjectKey::prefix_of(&org, &system)));
        assert_eq!(key.prefix(), ObjectKey::prefix_of(&org, &system));
        assert_eq!((key.org(), key.id()), ("acme", id));
        assert_eq!(key.to_string(), KEY);
    }

    #[test]
    fn what_was_not_built_here_is_no_key() {
        for bad in [
            "",
            "/",
            "acme/fw-01",
            "acme/fw-01/",
            "/acme/fw-01/018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg",
            "acme//018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg",
            "acme/../018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg",
            ".tmp/fw-01/018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg",
            "acme/fw-01/x/018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg",
            "acme/fw-01/018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg/",
            "acme/fw-01/018F3A5C-7b1e-7c3d-9a2b-0123456789ab.gpg",
            "acme/fw-01/018f3a5c-7b1e-7c3d-9a2b-0123456789ab.GPG",
            "acme/fw-01/018f3a5c-7b1e-4c3d-9a2b-0123456789ab.gpg",
            "acme/fw-01/018f3a5c-7b1e-7c3d-9a2b-0123456789ab.txt",
        ] {
            assert_eq!(ObjectKey::parse(bad), Err(InvalidObjectKey), "{bad:?}");
        }
    }
}

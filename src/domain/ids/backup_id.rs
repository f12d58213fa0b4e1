//! The id of a backup, as clients see and send it: `{uuidv7}.{ext}`.

use std::fmt;

use serde::{Serialize, Serializer};
use thiserror::Error;
use uuid::{Uuid, Variant};

use super::Extension;

/// The length of a UUID in its hyphenated form, the only form that is accepted.
const UUID_LEN: usize = 36;

/// The text is not a backup id. The error does not repeat the text, because it comes from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a UUIDv7 and one of the known extensions")]
pub struct InvalidBackupId;

/// The id of a backup: a `UUIDv7` (RFC 9562) and an [`Extension`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackupId {
    uuid: Uuid,
    ext: Extension,
}

impl BackupId {
    /// Makes the id of a new backup, or of one read from the database. `uuid` has to be a version 7 UUID: an id with any other
    /// version would not [parse](Self::parse).
    #[must_use]
    pub fn new(uuid: Uuid, ext: Extension) -> Self {
        debug_assert!(is_v7(uuid), "a backup's uuid is version 7");
        Self { uuid, ext }
    }

    /// Parses a hyphenated `UUIDv7`, a dot and an extension. Letter case is ignored.
    ///
    /// # Errors
    /// [`InvalidBackupId`] for everything else: another version, variant or notation of a UUID, an unknown extension or none.
    pub fn parse(text: &str) -> Result<Self, InvalidBackupId> {
        let (uuid, ext) = text.split_once('.').ok_or(InvalidBackupId)?;
        let uuid = parse_uuid(uuid)?;
        let ext = Extension::parse(ext).ok_or(InvalidBackupId)?;
        Ok(Self { uuid, ext })
    }

    #[must_use]
    pub const fn uuid(&self) -> Uuid {
        self.uuid
    }

    #[must_use]
    pub const fn ext(&self) -> Extension {
        self.ext
    }
}

/// A backup as an operator may write it: its id, or the UUID in the id, as `backup_events` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupReference {
    Id(BackupId),
    Uuid(Uuid),
}

impl BackupReference {
    /// Parses an id or a hyphenated `UUIDv7`. Letter case is ignored.
    ///
    /// # Errors
    /// [`InvalidBackupId`] for everything else.
    pub fn parse(text: &str) -> Result<Self, InvalidBackupId> {
        if text.contains('.') {
            BackupId::parse(text).map(Self::Id)
        } else {
            parse_uuid(text).map(Self::Uuid)
        }
    }

    #[must_use]
    pub const fn uuid(&self) -> Uuid {
        match self {
            Self::Id(id) => id.uuid,
            Self::Uuid(uuid) => *uuid,
        }
    }

    /// Whether this may be the backup with this id.
    #[must_use]
    pub fn matches(&self, id: BackupId) -> bool {
        match self {
            Self::Id(own) => *own == id,
            Self::Uuid(uuid) => *uuid == id.uuid,
        }
    }
}

impl fmt::Display for BackupReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Uuid(uuid) => uuid.hyphenated().fmt(f),
        }
    }
}

/// Parses a `UUIDv7` in its hyphenated form.
fn parse_uuid(text: &str) -> Result<Uuid, InvalidBackupId> {
    // `Uuid` also parses the simple, braced and URN notations. They have other lengths.
    if text.len() != UUID_LEN {
        return Err(InvalidBackupId);
    }
    let uuid = Uuid::try_parse(text).map_err(|_| InvalidBackupId)?;
    if is_v7(uuid) { Ok(uuid) } else { Err(InvalidBackupId) }
}

fn is_v7(uuid: Uuid) -> bool {
    uuid.get_version_num() == 7 && uuid.get_variant() == Variant::RFC4122
}

impl fmt::Display for BackupId {
    /// Writes the canonical form, in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.uuid.hyphenated(), self.ext.as_str())
    }
}

impl Serialize for BackupId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUID: &str = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab";

    #[test]
    fn a_v7_uuid_with_a_known_extension_is_an_id_in_any_case() {
        for ext in Extension::ALL {
            let text = format!("{UUID}.{}", ext.as_str());
            let id = BackupId::parse(&text).unwrap();
            assert_eq!((id.uuid().to_string().as_str(), id.ext()), (UUID, ext));
            assert_eq!(BackupId::parse(&text.to_uppercase()), Ok(id));
            assert_eq!(id.to_string(), text);
            assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            ".",
            ".gpg",
            UUID,
            "018f3a5c-7b1e-7c3d-9a2b-0123456789ab.",
            "018f3a5c-7b1e-7c3d-9a2b-0123456789ab.zip",
            "018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg.gpg",
            "018f3a5c-7b1e-7c3d-9a2b-0123456789ab..gpg",
            "018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg ",
            " 018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg",
            "018f3a5c-7b1e-7c3d-9a2b-0123456789ag.gpg",
            "018f3a5c7b1e7c3d9a2b0123456789ab.gpg",
            "{018f3a5c-7b1e-7c3d-9a2b-0123456789ab}.gpg",
            "urn:uuid:018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg",
            // Versions 4 and 1, then the variants NCS, Microsoft and "future".
            "018f3a5c-7b1e-4c3d-9a2b-0123456789ab.gpg",
            "018f3a5c-7b1e-1c3d-9a2b-0123456789ab.gpg",
            "018f3a5c-7b1e-7c3d-1a2b-0123456789ab.gpg",
            "018f3a5c-7b1e-7c3d-ca2b-0123456789ab.gpg",
            "018f3a5c-7b1e-7c3d-ea2b-0123456789ab.gpg",
            "../../../../../../../../../../etc/pass.gpg",
        ] {
            assert_eq!(BackupId::parse(bad), Err(InvalidBackupId), "{bad:?}");
        }
    }

    #[test]
    fn a_reference_is_an_id_or_its_uuid() {
        let id = BackupId::parse(&format!("{UUID}.tar.gz")).unwrap();
        let other = BackupId::parse(&format!("{UUID}.gpg")).unwrap();
        for text in [format!("{UUID}.tar.gz"), UUID.to_uppercase()] {
            let reference = BackupReference::parse(&text).unwrap();
            assert!(reference.matches(id) && reference.uuid() == id.uuid());
            assert_eq!(reference.to_string(), text.to_lowercase());
            assert_eq!(reference.matches(other), !text.contains('.'));
        }
        let version_4 = "018f3a5c-7b1e-4c3d-9a2b-0123456789ab";
        for bad in ["", "fw-01", &UUID[1..], version_4, &format!("{UUID}."), &UUID.replace('-', "")] {
            assert_eq!(BackupReference::parse(bad), Err(InvalidBackupId), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn display_and_parse_agree(
            bytes in any::<[u8; 16]>(),
            ext in proptest::sample::select(Extension::ALL.to_vec()),
        ) {
            let uuid = uuid::Builder::from_random_bytes(bytes)
                .with_version(uuid::Version::SortRand)
                .into_uuid();
            let id = BackupId::new(uuid, ext);
            prop_assert_eq!(BackupId::parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = BackupId::parse(&text);
        }
    }
}

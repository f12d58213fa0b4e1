//! The identity of a system, made from a credential and the row that it matches.

use std::fmt;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::CredentialCheckError;
use crate::db::credentials::CredentialRow;
use crate::domain::ids::{OrgId, SystemKey};

/// An authenticated system. Only [`Authenticator::authenticate`] makes one.
#[derive(Debug, Clone)]
pub struct SystemIdentity {
    id: Uuid,
    key: SystemKey,
    org: OrgId,
    window_epoch: i64,
    secret: SecretSha256,
    seen_lately: Option<DateTime<Utc>>,
}

/// The hash of a secret. `Debug` does not show it.
#[derive(Clone)]
pub struct SecretSha256([u8; 32]);

impl SecretSha256 {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl SystemIdentity {
    pub fn id(&self) -> Uuid {
        self.id
    }

    pub fn key(&self) -> &SystemKey {
        &self.key
    }

    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// See `systems.window_epoch`.
    pub fn window_epoch(&self) -> i64 {
        self.window_epoch
    }

    /// Returns when the system was last heard of, if the look-up of its credential says that this was within the last minute.
    pub fn seen_lately(&self) -> Option<DateTime<Utc>> {
        self.seen_lately
    }

    /// Returns the hash of the given secret, to check later whether the secret is still valid.
    pub fn secret_sha256(&self) -> &SecretSha256 {
        &self.secret
    }
}

/// Returns whether the hash of the given secret is that of the system's secret, or of its previous one while that is valid.
/// The comparison takes the same time without a row or a previous secret.
pub(super) fn is_right(given: &[u8], row: Option<&CredentialRow>) -> bool {
    let nobody = [0u8; 32];
    let present = row.map_or(nobody.as_slice(), |row| row.secret_sha256.as_slice());
    let previous = row.and_then(|row| row.previous_secret_sha256.as_deref()).unwrap_or(&nobody);
    bool::from(given.ct_eq(present) | given.ct_eq(previous))
}

/// Why a credential is refused, for the log. The client does not learn it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownKey,
    WrongSecret { system: Uuid },
    Suspended { system: Uuid },
}

impl Refusal {
    /// Returns why [`identify`] returns no identity. `row`: the system with the user name. `is_right`: whether its secret was right.
    pub fn of(row: Option<&CredentialRow>, is_right: bool) -> Self {
        match row {
            None => Self::UnknownKey,
            Some(row) if is_right => Self::Suspended { system: row.id },
            Some(row) => Self::WrongSecret { system: row.id },
        }
    }
}

/// Returns the identity of the system if its row exists, the hash of the given secret matches, and the system
/// is active.
pub(super) fn identify(
    key: &SystemKey,
    given: &[u8],
    row: Option<&CredentialRow>,
) -> Result<Option<SystemIdentity>, CredentialCheckError> {
    let matches = is_right(given, row);
    identity_of(key, given, row.filter(|row| matches && row.is_active()))
}

/// Returns the identity of a system that is not active, if the hash of the given secret matches. It may do nothing.
pub(super) fn identify_inactive(
    key: &SystemKey,
    given: &[u8],
    row: Option<&CredentialRow>,
) -> Option<SystemIdentity> {
    let matches = is_right(given, row);
    identity_of(key, given, row.filter(|row| matches && !row.is_active())).ok().flatten()
}

fn identity_of(
    key: &SystemKey,
    given: &[u8],
    row: Option<&CredentialRow>,
) -> Result<Option<SystemIdentity>, CredentialCheckError> {
    let Some(row) = row else { return Ok(None) };
    let org = OrgId::parse(&row.org_id).map_err(|e| CredentialCheckError::unreadable(&e))?;
    let secret = SecretSha256(<[u8; 32]>::try_from(given).map_err(|e| CredentialCheckError::unreadable(&e))?);
    Ok(Some(SystemIdentity {
        id: row.id,
        key: key.clone(),
        org,
        window_epoch: row.window_epoch,
        secret,
        seen_lately: row.seen_lately,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::row_state::SystemState;

    #[test]
    fn present_and_previous_secret_are_right() {
        let row = |previous: Option<u8>| CredentialRow {
            id: Uuid::from_u128(1),
            system_key: "fw".to_owned(),
            org_id: "acme".to_owned(),
            secret_sha256: vec![1; 32],
            previous_secret_sha256: previous.map(|byte| vec![byte; 32]),
            state: SystemState::Active,
            window_epoch: 0,
            requested: None,
            unchanged_lately: false,
            seen_lately: None,
        };
        for (given, row, right) in [
            (1, Some(row(None)), true),
            (2, Some(row(None)), false),
            (1, Some(row(Some(2))), true),
            (2, Some(row(Some(2))), true),
            (3, Some(row(Some(2))), false),
            (1, None, false),
        ] {
            assert_eq!(is_right(&[given; 32], row.as_ref()), right, "{given} {row:?}");
        }
    }
}

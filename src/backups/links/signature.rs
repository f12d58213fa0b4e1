//! The signature of a link: two HMAC-SHA256, with a key from the database, so each process accepts the links of the others.
//!
//! The first HMAC covers the backup's id and the time at which the link expires. Forged links fail it, without a query. The
//! second HMAC also covers the [`AccessState`] of the backup's system at the time when the link was made: so the link ends
//! when the system is suspended, or when its secret is replaced and is no longer valid. The second HMAC is verified after the system was looked up.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use crate::db::access_state::AccessState;
use crate::domain::ids::BackupId;

/// The length of one HMAC, in bytes.
const MAC_LENGTH: usize = 32;

/// The parts of a signed link: a client that presents them may download the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedLink {
    pub backup: BackupId,
    /// Seconds since the Unix epoch.
    pub expires: u64,
    /// The two HMACs, one after the other.
    pub signature: Vec<u8>,
}

impl SignedLink {
    pub(super) fn new(
        key: &SecretSlice<u8>,
        backup: BackupId,
        expires: u64,
        access_state: &AccessState,
    ) -> Option<Self> {
        let mut signature = mac(key, backup, expires)?.finalize().into_bytes().to_vec();
        signature.extend(mac_for(key, backup, expires, access_state)?.finalize().into_bytes());
        Some(Self { backup, expires, signature })
    }

    /// Returns whether the link was signed with this key. The link may have expired. The comparison takes constant time.
    pub(super) fn is_signed_with(&self, key: &SecretSlice<u8>) -> bool {
        let expected = mac(key, self.backup, self.expires);
        let given = self.signature.split_at_checked(MAC_LENGTH);
        expected.zip(given).is_some_and(|(mac, (first, _))| mac.verify_slice(first).is_ok())
    }

    /// Returns whether the link was signed with this key for a system whose access state is unchanged.
    pub(super) fn is_for(&self, key: &SecretSlice<u8>, access_state: &AccessState) -> bool {
        let expected = mac_for(key, self.backup, self.expires, access_state);
        let given = self.signature.split_at_checked(MAC_LENGTH);
        expected.zip(given).is_some_and(|(mac, (_, second))| mac.verify_slice(second).is_ok())
    }
}

fn mac(key: &SecretSlice<u8>, backup: BackupId, expires: u64) -> Option<Hmac<Sha256>> {
    keyed(key, &format!("strongroom download\n{backup}\n{expires}"))
}

fn mac_for(
    key: &SecretSlice<u8>,
    backup: BackupId,
    expires: u64,
    access_state: &AccessState,
) -> Option<Hmac<Sha256>> {
    let AccessState { state, secret_sha256, suspended_at } = access_state;
    let suspended = suspended_at.map_or(0, |at| at.timestamp_micros());
    let mut mac =
        keyed(key, &format!("strongroom download for\n{backup}\n{expires}\n{state}\n{suspended}\n"))?;
    mac.update(secret_sha256);
    Some(mac)
}

fn keyed(key: &SecretSlice<u8>, text: &str) -> Option<Hmac<Sha256>> {
    // HMAC accepts a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret()).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::row_state::SystemState;

    fn id(text: &str) -> BackupId {
        BackupId::parse(text).unwrap()
    }

    fn key(byte: u8) -> SecretSlice<u8> {
        vec![byte; 32].into()
    }

    fn access_state() -> AccessState {
        AccessState { state: SystemState::Active, secret_sha256: vec![1; 32], suspended_at: None }
    }

    fn signed() -> SignedLink {
        let one = id("018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg");
        SignedLink::new(&key(7), one, 1000, &access_state()).unwrap()
    }

    #[test]
    fn a_link_is_valid_for_its_backup_its_time_and_its_key() {
        let signed = signed();
        assert!(signed.is_signed_with(&key(7)) && signed.is_for(&key(7), &access_state()));
        assert!(!signed.is_signed_with(&key(8)) && !signed.is_for(&key(8), &access_state()), "another key");
        let flipped = |index: usize| {
            let mut signature = signed.signature.clone();
            signature[index] ^= 1;
            signature
        };
        let with = |signature: Vec<u8>| SignedLink { signature, ..signed.clone() };
        let longer = [&signed.signature[..], &[0]].concat();
        let forged = [
            SignedLink { expires: 1001, ..signed.clone() },
            SignedLink { backup: id("018f3a5c-7b1e-7c3d-9a2b-0123456789ab.bin"), ..signed.clone() },
            SignedLink { backup: id("018f3a5c-7b1e-7c3d-9a2b-0123456789ac.gpg"), ..signed.clone() },
            with(flipped(31)),
            with(flipped(63)),
            with(longer),
            with(signed.signature[..63].to_vec()),
            with(signed.signature[..32].to_vec()),
            with(signed.signature[..31].to_vec()),
            with(signed.signature.repeat(2)),
            with([&signed.signature[..32], &signed.signature[..32]].concat()),
            with([&signed.signature[32..], &signed.signature[32..]].concat()),
            with(vec![]),
        ];
        for forged in forged {
            let is_valid = forged.is_signed_with(&key(7)) && forged.is_for(&key(7), &access_state());
            assert!(!is_valid, "{forged:?}");
        }
    }

    #[test]
    fn a_link_ends_when_the_access_state_of_its_system_changes() {
        let then = DateTime::from_timestamp_micros(1_775_986_200_000_001);
        let changed = [
            AccessState { state: SystemState::Suspended, ..access_state() },
            AccessState { secret_sha256: vec![2; 32], ..access_state() },
            AccessState { suspended_at: then, ..access_state() },
        ];
        for access_state in changed {
            assert!(signed().is_signed_with(&key(7)) && !signed().is_for(&key(7), &access_state));
        }
    }
}

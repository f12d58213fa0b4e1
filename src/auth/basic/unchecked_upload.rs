//! An upload whose credential is being looked up.

use std::net::IpAddr;
use std::time::Instant;

use super::identity::SecretSha256;
use super::unavailable_uploads::UnavailableUploads;
use crate::domain::ids::SystemKey;

/// Remembers an upload when this is dropped, unless its credential was checked: also if the client has given up meanwhile, and
/// its request is no longer worked on.
pub(super) struct UncheckedUpload<'a> {
    pub uploads: &'a UnavailableUploads,
    pub key: SystemKey,
    pub secret: SecretSha256,
    pub addr: Option<IpAddr>,
    pub arrived: Instant,
    pub is_checked: bool,
}

impl Drop for UncheckedUpload<'_> {
    fn drop(&mut self) {
        if !self.is_checked {
            self.uploads.record(&self.key, &self.secret, self.addr, self.arrived);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> SystemKey {
        SystemKey::parse(name).unwrap()
    }

    fn secret(byte: u8) -> SecretSha256 {
        SecretSha256::new([byte; 32])
    }

    #[test]
    fn upload_is_remembered_unless_its_credential_was_checked() {
        let (uploads, now) = (UnavailableUploads::default(), Instant::now());
        let unchecked = |byte, is_checked| UncheckedUpload {
            uploads: &uploads,
            key: key("fw"),
            secret: secret(byte),
            addr: None,
            arrived: now,
            is_checked,
        };
        drop(unchecked(1, true));
        assert!(!uploads.contains(&key("fw"), &secret(1)));
        drop(unchecked(1, false));
        assert!(uploads.contains(&key("fw"), &secret(1)));
    }
}

//! Measures a body as it passes: counts and hashes its bytes, and checks its start for signs of encryption.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::domain::openpgp::{INSPECTED_BYTES, looks_encrypted};

/// The summary of a complete body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodySummary {
    /// The size of the body in bytes.
    pub size: u64,
    /// The SHA-256 of the body.
    pub sha256: [u8; 32],
    /// Whether the body [looks encrypted](looks_encrypted).
    pub encrypted: bool,
}

/// Measures a body, chunk by chunk.
#[derive(Default)]
pub struct BodyMeter {
    size: u64,
    sha256: Sha256,
    start: Start,
}

/// The start of the body, until it is long enough for a decision. So only bodies that have just begun use this memory.
enum Start {
    Gathering(Vec<u8>),
    Judged(bool),
}

impl Default for Start {
    fn default() -> Self {
        Self::Gathering(Vec::new())
    }
}

impl Start {
    fn push(&mut self, chunk: &[u8]) {
        if let Self::Gathering(start) = self {
            let missing = INSPECTED_BYTES - start.len();
            start.extend_from_slice(&chunk[..chunk.len().min(missing)]);
            if start.len() == INSPECTED_BYTES {
                *self = Self::Judged(looks_encrypted(start));
            }
        }
    }

    fn finish(self) -> bool {
        match self {
            Self::Gathering(start) => looks_encrypted(&start),
            Self::Judged(encrypted) => encrypted,
        }
    }
}

impl BodyMeter {
    /// Returns a meter for one body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next chunk of the body.
    pub fn push(&mut self, chunk: &Bytes) {
        self.size += chunk.len() as u64;
        self.sha256.update(chunk);
        self.start.push(chunk);
    }

    /// The number of bytes so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.size
    }

    /// Returns the summary at the end of the body.
    #[must_use]
    pub fn finish(self) -> BodySummary {
        BodySummary { size: self.size, sha256: self.sha256.finalize().into(), encrypted: self.start.finish() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metered<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> BodySummary {
        let mut meter = BodyMeter::new();
        for chunk in chunks {
            meter.push(&Bytes::copy_from_slice(chunk));
        }
        meter.finish()
    }

    #[test]
    fn an_empty_body_has_the_known_hash() {
        let receipt = metered([]);
        let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex::encode(receipt.sha256), sha256);
        assert_eq!((receipt.size, receipt.encrypted), (0, false));
    }

    #[test]
    fn whether_a_body_looks_encrypted_does_not_depend_on_its_chunks() {
        let mut message = b"-----BEGIN PGP MESSAGE-----\n".to_vec();
        message.resize(3 * INSPECTED_BYTES, b'A');
        for size in [
            1,
            7,
            INSPECTED_BYTES - 1,
            INSPECTED_BYTES,
            INSPECTED_BYTES + 1,
            2 * INSPECTED_BYTES,
            3 * INSPECTED_BYTES,
        ] {
            let receipt = metered(message.chunks(size));
            assert!(receipt.encrypted, "{size}");
            assert_eq!(receipt, metered([&message[..]]));
        }
    }

    proptest! {
        #[test]
        fn chunks_add_up(body in proptest::collection::vec(any::<u8>(), 1..9000), size in 1..9000_usize) {
            let receipt = metered(body.chunks(size));
            prop_assert_eq!(receipt.size, body.len() as u64);
            prop_assert_eq!(receipt.sha256, <[u8; 32]>::from(Sha256::digest(&body)));
            prop_assert_eq!(receipt.encrypted, looks_encrypted(&body));
        }
    }
}

//! Looks at the bytes of a body as they pass: counts them, hashes them, and keeps the start of the body to see whether it
//! looks encrypted.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::domain::openpgp::{LOOK, looks_encrypted};

/// What is known of a body once all of it has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of all of it.
    pub sha256: [u8; 32],
    /// Whether it [looks encrypted](looks_encrypted).
    pub encrypted: bool,
}

/// Counts, hashes and looks at a body, chunk by chunk.
#[derive(Default)]
pub struct Meter {
    size: u64,
    sha256: Sha256,
    look: Look,
}

/// The start of the body, until there is enough of it to judge. So only bodies that have just begun take up this room.
enum Look {
    Gathering(Vec<u8>),
    Judged(bool),
}

impl Default for Look {
    fn default() -> Self {
        Self::Gathering(Vec::new())
    }
}

impl Look {
    fn push(&mut self, chunk: &[u8]) {
        if let Self::Gathering(start) = self {
            let missing = LOOK - start.len();
            start.extend_from_slice(&chunk[..chunk.len().min(missing)]);
            if start.len() == LOOK {
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

impl Meter {
    /// For one body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next chunk of the body.
    pub fn push(&mut self, chunk: &Bytes) {
        self.size += chunk.len() as u64;
        self.sha256.update(chunk);
        self.look.push(chunk);
    }

    /// The bytes so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.size
    }

    /// The body is over.
    #[must_use]
    pub fn finish(self) -> Receipt {
        Receipt { size: self.size, sha256: self.sha256.finalize().into(), encrypted: self.look.finish() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metered<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Receipt {
        let mut meter = Meter::new();
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
    fn the_look_does_not_depend_on_the_chunks() {
        let mut message = b"-----BEGIN PGP MESSAGE-----\n".to_vec();
        message.resize(3 * LOOK, b'A');
        for size in [1, 7, LOOK - 1, LOOK, LOOK + 1, 2 * LOOK, 3 * LOOK] {
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

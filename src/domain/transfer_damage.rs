//! Recognizes files that a client has damaged in transfer. Some ordinary commands damage a file without an error:
//!
//! * `curl -d @FILE` removes line feeds, carriage returns and zero bytes. It declares a web form. So does
//!   `curl --data-binary @FILE`, which sends the file unchanged.
//! * `curl --data-urlencode file@FILE`, and `data={"file": ...}` of Python's requests, send the file as a web form.
//! * `BusyBox`'s `wget --post-file` sends only the bytes before the first zero byte. Its `User-Agent` is `Wget`. GNU Wget, which
//!   sends the file unchanged, adds a version to that.

use std::fmt;

/// How many bytes at the start are inspected. In so many random bytes, as in ciphertext, three given values are all missing
/// in only one of 10^21 files.
const INSPECTED_BYTES: usize = 4096;

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// How a file was damaged in transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferDamage {
    /// The file's line feeds, carriage returns and zero bytes are missing.
    LineBreaks,
    /// The file was sent as the value of a web form's field, in the form's encoding.
    FormEncoding,
    /// The file is cut at its first zero byte.
    CutOff,
}

impl fmt::Display for TransferDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineBreaks => "its line breaks are missing",
            Self::FormEncoding => "it is encoded as a form",
            Self::CutOff => "it is cut at its first zero byte",
        })
    }
}

/// A client that may damage files, recognized by its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossyClient {
    /// A client that declares a web form.
    Form,
    BusyBox,
}

impl LossyClient {
    /// Returns the client that sends these values of `Content-Type` and `User-Agent`.
    #[must_use]
    pub fn identify(content_type: Option<&[u8]>, user_agent: Option<&[u8]>) -> Option<Self> {
        let media_type =
            content_type.unwrap_or_default().split(|byte| *byte == b';').next().unwrap_or_default();
        if user_agent.is_some_and(|name| name.trim_ascii() == b"Wget") {
            Some(Self::BusyBox)
        } else if media_type.trim_ascii().eq_ignore_ascii_case(FORM) {
            Some(Self::Form)
        } else {
            None
        }
    }
}

/// Checks the start of a body for signs of damage.
#[derive(Debug)]
pub struct TransferDamageCheck {
    client: LossyClient,
    start: Vec<u8>,
}

impl TransferDamageCheck {
    #[must_use]
    pub const fn new(client: LossyClient) -> Self {
        Self { client, start: Vec::new() }
    }

    /// Adds the next chunk of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        let missing = INSPECTED_BYTES - self.start.len();
        self.start.extend_from_slice(&chunk[..chunk.len().min(missing)]);
    }

    /// Returns the damage that was found. Called at the end of the body.
    ///
    /// Missing line breaks are found only in a binary file of at least [`INSPECTED_BYTES`]: in a shorter one they are not
    /// certain. A binary file without a zero byte counts as cut off, so a small file that never had one is refused, too. A text
    /// has no zero bytes and may consist of one line, so nothing is found in it.
    #[must_use]
    pub fn found(&self) -> Option<TransferDamage> {
        let start = self.start.as_slice();
        let without = |bytes: &[u8]| !start.iter().any(|byte| bytes.contains(byte));
        match self.client {
            LossyClient::Form if is_form(start) => Some(TransferDamage::FormEncoding),
            LossyClient::Form => {
                (start.len() == INSPECTED_BYTES && without(b"\n\r\0") && has_controls(start))
                    .then_some(TransferDamage::LineBreaks)
            }
            LossyClient::BusyBox => {
                (without(b"\0") && (has_controls(start) || !is_utf8(start))).then_some(TransferDamage::CutOff)
            }
        }
    }
}

/// Whether the data is `NAME=VALUE` in the encoding of web forms, with at least one escaped character. Other files have
/// characters that this encoding does not permit.
fn is_form(start: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~*+%&=".contains(byte);
    let escaped = |part: &[u8]| part[0] == b'%' && part[1].is_ascii_hexdigit() && part[2].is_ascii_hexdigit();
    start.iter().all(allowed) && start.contains(&b'=') && start.windows(3).any(escaped)
}

/// Whether there is a control character that does not occur in a text of any encoding.
fn has_controls(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| byte.is_ascii_control() && !b"\t\n\x0b\x0c\r\x1b".contains(byte))
}

/// Whether the data is UTF-8. It may end within a character.
fn is_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes as those of a ciphertext, the same in each run.
    fn ciphertext(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[3]
        };
        (0..len).map(|_| next()).collect()
    }

    fn found(client: LossyClient, body: &[u8]) -> Option<TransferDamage> {
        let mut check = TransferDamageCheck::new(client);
        body.chunks(1000).for_each(|chunk| check.push(chunk));
        check.found()
    }

    #[test]
    fn a_lossy_client_is_recognized_by_its_headers() {
        let form = "application/x-www-form-urlencoded";
        for (content_type, user_agent, expected) in [
            (None, None, None),
            (Some("application/octet-stream"), Some("curl/7.88.1"), None),
            (Some(form), Some("curl/7.88.1"), Some(LossyClient::Form)),
            (Some(" Application/X-WWW-Form-URLEncoded ; charset=utf-8"), None, Some(LossyClient::Form)),
            (Some("application/x-www-form-urlencoded2"), None, None),
            (Some(form), Some("Wget"), Some(LossyClient::BusyBox)),
            (Some("application/octet-stream"), Some("Wget"), Some(LossyClient::BusyBox)),
            (Some(form), Some("Wget/1.21.3"), Some(LossyClient::Form)),
            (Some("application/octet-stream"), Some("Wget/1.21.3"), None),
        ] {
            let client =
                LossyClient::identify(content_type.map(str::as_bytes), user_agent.map(str::as_bytes));
            assert_eq!(client, expected, "{content_type:?} {user_agent:?}");
        }
    }

    #[test]
    fn a_binary_file_without_its_line_breaks_is_found() {
        let whole = ciphertext(20_000);
        let mut stripped = whole.clone();
        stripped.retain(|byte| !b"\n\r\0".contains(byte));
        assert_eq!(found(LossyClient::Form, &whole), None);
        assert_eq!(found(LossyClient::Form, &stripped), Some(TransferDamage::LineBreaks));
        assert_eq!(found(LossyClient::Form, &stripped[..INSPECTED_BYTES]), Some(TransferDamage::LineBreaks));
        assert_eq!(
            found(LossyClient::Form, &stripped[..INSPECTED_BYTES - 1]),
            None,
            "too short to be certain"
        );
    }

    #[test]
    fn a_form_is_found() {
        for form in ["file=%8C%0D", "a=b+c&file=%1f%8B", &format!("file={}", "%8c".repeat(3000))] {
            assert_eq!(
                found(LossyClient::Form, form.as_bytes()),
                Some(TransferDamage::FormEncoding),
                "{form:.20}"
            );
        }
        for file in ["a=b", "aGVsbG8gd29ybGQ=", "100%=x%1z", "a=b\nc=%20", "%41%42", "url = http://x/?a=%20"]
        {
            assert_eq!(found(LossyClient::Form, file.as_bytes()), None, "{file}");
        }
    }

    #[test]
    fn a_file_that_ends_before_its_first_zero_byte_is_found() {
        let whole = ciphertext(20_000);
        let zero = whole.iter().position(|byte| *byte == 0).unwrap();
        assert_eq!(found(LossyClient::BusyBox, &whole), None);
        for cut in [&whole[..zero], b"\x1f\x8b\x08", b"\x85\x02\x0c\x03"] {
            assert_eq!(found(LossyClient::BusyBox, cut), Some(TransferDamage::CutOff), "{} bytes", cut.len());
        }
    }

    #[test]
    fn a_text_is_not_damaged() {
        let armored = format!("-----BEGIN PGP MESSAGE-----\n\n{}", "hQIMA+\n".repeat(2000));
        let one_line = "{\"a\":\"\u{e9}\"}\t\x1b[0m".repeat(2000);
        for text in [&armored[..], &one_line, "x", "\u{e9}"] {
            for client in [LossyClient::Form, LossyClient::BusyBox] {
                assert_eq!(found(client, text.as_bytes()), None, "{client:?} {text:.1}");
            }
        }
        assert_eq!(found(LossyClient::Form, &b"\xe9t\xe9 ".repeat(2000)), None);
    }

    proptest! {
        #[test]
        fn a_file_with_a_zero_byte_at_its_start_is_not_damaged(
            mut body in proptest::collection::vec(any::<u8>(), 1..6000), at in any::<prop::sample::Index>(),
        ) {
            let at = at.index(body.len().min(INSPECTED_BYTES));
            body[at] = 0;
            prop_assert_eq!(found(LossyClient::BusyBox, &body), None);
            prop_assert_eq!(found(LossyClient::Form, &body), None);
        }
    }
}

//! Whether a backup looks encrypted. The finding is shown to support staff. No upload is refused for it, so the start of the
//! file is enough.
//!
//! An encrypted `OpenPGP` message (RFC 9580, 10.3) is one or more packets with
//! the session key, then one with the encrypted data. What `gpg --sign` and
//! `gpg --store` write is compressed and can be read by anyone.

/// How much of the start is inspected, in bytes.
pub const INSPECTED_BYTES: usize = 4096;

// Packet types, RFC 9580, 5. 9 and 20 are what old and new versions of gpg
// write in the place of 18.
const PUBLIC_KEY_SESSION_KEY: u8 = 1;
const PASSWORD_SESSION_KEY: u8 = 3;
const ENCRYPTED: u8 = 9;
const MARKER: u8 = 10;
const ENCRYPTED_INTEGRITY: u8 = 18;
const ENCRYPTED_OCB: u8 = 20;
const PADDING: u8 = 21;

/// Whether a file that starts with `prefix` (its first [`INSPECTED_BYTES`] bytes, or all
/// of it) is an encrypted `OpenPGP` message, binary or armored.
///
/// Of an armored one only the first line is inspected, which signed messages
/// have too.
#[must_use]
pub fn looks_encrypted(prefix: &[u8]) -> bool {
    let prefix = &prefix[..prefix.len().min(INSPECTED_BYTES)];
    is_armored(prefix) || is_message(prefix)
}

fn is_armored(prefix: &[u8]) -> bool {
    let text = prefix.strip_prefix(b"\xef\xbb\xbf").unwrap_or(prefix);
    text.trim_ascii_start().starts_with(b"-----BEGIN PGP MESSAGE-----")
}

/// Walks over the packets: session keys, with markers and padding before and
/// among them, up to the data or the end of the prefix.
fn is_message(mut rest: &[u8]) -> bool {
    let mut has_session_key = false;
    while let Some(first) = rest.first() {
        let Some((tag, length)) = header(*first) else {
            return false;
        };
        match tag {
            MARKER | PADDING => {}
            PUBLIC_KEY_SESSION_KEY | PASSWORD_SESSION_KEY => {
                // Text may start with such a byte (UTF-8 has C3), but then
                // hardly goes on with a version.
                match version(rest, length) {
                    Some(version) if is_known(tag, version) => has_session_key = true,
                    Some(_) => return false,
                    None => break,
                }
            }
            ENCRYPTED | ENCRYPTED_INTEGRITY | ENCRYPTED_OCB => break,
            _ => return false,
        }
        match after_body(rest, length) {
            Some(next) => rest = next,
            None => break,
        }
    }
    has_session_key
}

/// How the length of a body is written, behind the first byte.
#[derive(Clone, Copy)]
enum Length {
    /// Old format: this many bytes, big-endian.
    Old(usize),
    /// New format: one, two or five bytes, or partial.
    New,
    /// Old format: to the end of the file.
    Rest,
}

/// The type of the packet that starts with this byte; `None` if none does.
fn header(first: u8) -> Option<(u8, Length)> {
    match (first & 0x80, first & 0x40) {
        (0, _) => None,
        (_, 0) => {
            let length = match first & 3 {
                3 => Length::Rest,
                log => Length::Old(1 << log),
            };
            Some(((first >> 2) & 0xf, length))
        }
        _ => Some((first & 0x3f, Length::New)),
    }
}

/// Reads a length at the start of `text`: the length, whether more parts
/// follow, and how many bytes it took. `None` if the end of the body is not
/// within the prefix for sure.
fn read_length(text: &[u8], length: Length) -> Option<(usize, bool, usize)> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, b| (n << 8) | usize::from(*b));
    match (length, text) {
        (Length::Old(width), _) => Some((number(text.get(..width)?), false, width)),
        (Length::New, [255, ..]) => Some((number(text.get(1..5)?), false, 5)),
        (Length::New, [part @ 224..=254, ..]) => Some((1 << (part & 0x1f), true, 1)),
        (Length::New, [high @ 192..=223, low, ..]) => Some((number(&[high - 192, *low]) + 192, false, 2)),
        (Length::New, [short @ 0..=191, ..]) => Some((usize::from(*short), false, 1)),
        (Length::New | Length::Rest, _) => None,
    }
}

/// The first byte of the body: the version, in the packets where it is asked.
fn version(packet: &[u8], length: Length) -> Option<u8> {
    let (_, _, width) = read_length(packet.get(1..)?, length)?;
    packet.get(1 + width).copied()
}

/// RFC 9580, 5.1 and 5.3; 2 and 5 are of older software and drafts.
fn is_known(tag: u8, version: u8) -> bool {
    match tag {
        PUBLIC_KEY_SESSION_KEY => matches!(version, 2 | 3 | 6),
        _ => matches!(version, 4..=6),
    }
}

/// What follows the packet; `None` if that is beyond the prefix.
fn after_body(packet: &[u8], length: Length) -> Option<&[u8]> {
    let mut rest = packet.get(1..)?;
    loop {
        let (bytes, more, width) = read_length(rest, length)?;
        rest = rest.get(width.checked_add(bytes)?..)?;
        if !more {
            return Some(rest);
        }
    }
}

#[cfg(test)]
mod tests;

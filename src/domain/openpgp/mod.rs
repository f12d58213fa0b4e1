//! Checks whether a backup seems to be an encrypted `OpenPGP` message. The result is only shown to support staff. No upload is
//! refused for it, so the check inspects only the start of the file.
//!
//! An encrypted message (RFC 9580, 10.3) has one or more packets with the session key, then a packet with the encrypted data.
//! A message of `gpg --sign` or `gpg --store` is compressed, and everybody can read it.

/// How much of the start is inspected, in bytes.
pub const INSPECTED_BYTES: usize = 4096;

// Packet types (RFC 9580, 5). In place of 18, old versions of gpg write 9, and new versions write 20.
const PUBLIC_KEY_SESSION_KEY: u8 = 1;
const PASSWORD_SESSION_KEY: u8 = 3;
const ENCRYPTED: u8 = 9;
const MARKER: u8 = 10;
const ENCRYPTED_INTEGRITY: u8 = 18;
const ENCRYPTED_OCB: u8 = 20;
const PADDING: u8 = 21;

/// Whether a file that starts with `prefix` (its first [`INSPECTED_BYTES`], or the whole file) seems to be an encrypted
/// `OpenPGP` message, binary or armored.
///
/// In an armored file only the first line is checked. Signed messages have the same first line.
#[must_use]
pub fn looks_encrypted(prefix: &[u8]) -> bool {
    let prefix = &prefix[..prefix.len().min(INSPECTED_BYTES)];
    is_armored(prefix) || is_message(prefix)
}

fn is_armored(prefix: &[u8]) -> bool {
    let text = prefix.strip_prefix(b"\xef\xbb\xbf").unwrap_or(prefix);
    text.trim_ascii_start().starts_with(b"-----BEGIN PGP MESSAGE-----")
}

/// Reads the packets up to the encrypted data or the end of the prefix. Session keys are expected, and markers and padding are
/// permitted anywhere before the data.
fn is_message(mut rest: &[u8]) -> bool {
    let mut has_session_key = false;
    while let Some(first) = rest.first() {
        let Some((tag, length)) = header(*first) else {
            return false;
        };
        match tag {
            MARKER | PADDING => {}
            PUBLIC_KEY_SESSION_KEY | PASSWORD_SESSION_KEY => {
                // A text may start with the same byte (C3 in UTF-8), but then no known version is likely to follow.
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

/// The format of a body's length, which follows the first byte of a packet.
#[derive(Clone, Copy)]
enum Length {
    /// Old format: a number of this many bytes, big-endian.
    Old(usize),
    /// New format: one, two or five bytes, or the length of a part.
    New,
    /// Old format without a length: the body extends to the end of the file.
    Rest,
}

/// Returns the type of the packet that starts with this byte, and the format of its length. `None` if no packet starts with
/// this byte.
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

/// Reads a length at the start of `text`. Returns the length, whether another part follows, and how many bytes the length
/// itself has. `None` if the prefix does not show where the body ends.
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

/// Returns the first byte of the body. In packets with a session key it is the version.
fn version(packet: &[u8], length: Length) -> Option<u8> {
    let (_, _, width) = read_length(packet.get(1..)?, length)?;
    packet.get(1 + width).copied()
}

/// Whether packets of this type have this version (RFC 9580, 5.1 and 5.3). Older software and drafts use the versions 2 and 5.
fn is_known(tag: u8, version: u8) -> bool {
    match tag {
        PUBLIC_KEY_SESSION_KEY => matches!(version, 2 | 3 | 6),
        _ => matches!(version, 4..=6),
    }
}

/// Returns the data after the packet; `None` if the packet extends beyond the prefix.
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

//! Parses PEM files (RFC 7468), with error messages that contain nothing secret.
//!
//! The errors of PEM libraries repeat the line that they failed on, and a key whose line breaks are lost is a single line.
//! So the errors of this module repeat nothing of the file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The label of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Certificate,
    /// `PRIVATE KEY`.
    Pkcs8,
    /// `RSA PRIVATE KEY`.
    Pkcs1,
    /// `EC PRIVATE KEY`.
    Sec1,
    EncryptedKey,
    DsaKey,
    OpenSshKey,
    PublicKey,
    CertificateRequest,
    /// A format of OpenSSL only.
    TrustedCertificate,
    Other,
}

pub(super) struct Block {
    pub label: Label,
    /// The decoded bytes; empty for labels that the service does not use.
    pub der: Vec<u8>,
}

/// The size in bytes of the largest file that is read. A certificate chain has some ten thousand bytes.
const MAX_FILE_SIZE: u64 = 1 << 20;

const EMPTY: &str = "it is empty";
const TOO_LONG: &str = "it is longer than 1 MiB: it can't be a certificate or a key";
const UTF_16: &str = "it is UTF-16: save it as plain text (ASCII)";
const BINARY: &str = "it is binary (DER or PKCS#12), not PEM: convert it with openssl";
const NO_PEM: &str = "it is not PEM: no line of it begins with -----BEGIN";
const ESCAPED: &str =
    "its line breaks are written as \\n, two characters each: write it with real line breaks";
const NO_LINE_BREAKS: &str =
    "its line breaks are missing: the lines with -----BEGIN and -----END have to stand alone";
const CUT_OFF: &str = "it is cut off: a line with -----END is missing";
const DAMAGED: &str = "it is damaged: what stands between -----BEGIN and -----END is not base64";

/// The blocks of a file, in order.
pub(super) fn read(path: &Path) -> Result<Vec<Block>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes));
    read.map_err(|error: io::Error| format!("it can't be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(TOO_LONG.to_owned());
    }
    parse(&bytes).map_err(str::to_owned)
}

pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Block>, &'static str> {
    let bytes = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(UTF_16),
        [0x30, 0x80..=0x84, ..] => return Err(BINARY),
        // The byte order mark that some editors write before UTF-8.
        [0xef, 0xbb, 0xbf, rest @ ..] => rest,
        _ => bytes,
    };
    // Text outside the blocks may have any encoding.
    let text = String::from_utf8_lossy(bytes);
    if text.trim().is_empty() {
        return Err(EMPTY);
    }
    let escaped = text.contains("\\n");
    let on_one_line = if escaped { ESCAPED } else { NO_LINE_BREAKS };
    let mut blocks = Vec::new();
    let mut open: Option<OpenBlock> = None;
    for line in text.split(['\n', '\r']).map(str::trim) {
        if let Some(label) = line.strip_prefix("-----BEGIN ") {
            if open.is_some() {
                return Err(CUT_OFF);
            }
            let label = label.strip_suffix("-----").filter(|label| !label.contains("-----"));
            open = Some(OpenBlock::new(label.ok_or(on_one_line)?));
        } else if let Some(label) = line.strip_prefix("-----END ") {
            let Some(block) = open.take() else { continue };
            if label.strip_suffix("-----") != Some(&block.name) {
                return Err(CUT_OFF);
            }
            blocks.push(block.decode()?);
        } else if let Some(block) = &mut open {
            if line.contains("-----") || line.contains("\\n") {
                return Err(on_one_line);
            }
            block.take(line);
        }
    }
    match (open, blocks.is_empty()) {
        (Some(_), _) => Err(CUT_OFF),
        (None, true) if text.contains("-----BEGIN ") => Err(on_one_line),
        (None, true) => Err(NO_PEM),
        (None, false) => Ok(blocks),
    }
}

/// A block whose end has not been read yet.
struct OpenBlock {
    name: String,
    base64: String,
    encrypted: bool,
}

impl OpenBlock {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), base64: String::new(), encrypted: false }
    }

    fn take(&mut self, line: &str) {
        // A header as in RFC 1421; base64 contains no colon. `DEK-Info` comes with `Proc-Type`.
        match line.split_once(':') {
            Some(("Proc-Type", value)) => self.encrypted |= value.contains("ENCRYPTED"),
            Some(_) => {}
            None => self.base64.extend(line.chars().filter(|c| !c.is_whitespace())),
        }
    }

    fn decode(self) -> Result<Block, &'static str> {
        let label = match self.name.as_str() {
            _ if self.encrypted => Label::EncryptedKey,
            "CERTIFICATE" => Label::Certificate,
            "PRIVATE KEY" => Label::Pkcs8,
            "RSA PRIVATE KEY" => Label::Pkcs1,
            "EC PRIVATE KEY" => Label::Sec1,
            "ENCRYPTED PRIVATE KEY" => Label::EncryptedKey,
            "DSA PRIVATE KEY" => Label::DsaKey,
            "OPENSSH PRIVATE KEY" => Label::OpenSshKey,
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Label::PublicKey,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Label::CertificateRequest,
            "TRUSTED CERTIFICATE" => Label::TrustedCertificate,
            _ => Label::Other,
        };
        let der = match label {
            Label::Certificate | Label::Pkcs8 | Label::Pkcs1 | Label::Sec1 => {
                STANDARD.decode(self.base64).map_err(|_| DAMAGED)?
            }
            _ => Vec::new(),
        };
        Ok(Block { label, der })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0IGJ5dGVz\n-----END PRIVATE KEY-----\n";

    #[track_caller]
    fn is_read(text: &str) {
        let blocks = parse(text.as_bytes()).unwrap_or_else(|reason| panic!("{reason}: {text:?}"));
        let key = blocks.iter().find(|block| block.label == Label::Pkcs8).expect("a key");
        assert_eq!(key.der, b"secret bytes");
    }

    #[test]
    fn file_is_parsed_with_any_line_ends() {
        is_read(GOOD);
        is_read(&GOOD.replace('\n', "\r\n"));
        is_read(&GOOD.replace('\n', "\r"));
        is_read(&GOOD.replace('\n', "\n    "));
        is_read(&GOOD.replace('\n', "  \n\n"));
        is_read(&format!("\u{feff}{GOOD}"));
        is_read(&format!("Bag Attributes\n    friendlyName: \u{fc}\n{GOOD}"));
        is_read(&format!(
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{GOOD}"
        ));
        is_read(GOOD.trim_end());
    }

    #[test]
    fn each_kind_of_damage_has_its_error_message() {
        let cases = [
            (String::new(), EMPTY),
            (" \n\n".to_owned(), EMPTY),
            ("c2VjcmV0IGJ5dGVz\n".to_owned(), NO_PEM),
            (GOOD.replace('\n', "\\n"), ESCAPED),
            (GOOD.replace('\n', "\\r\\n"), ESCAPED),
            (format!("\"{}\"", GOOD.replace('\n', "\\n")), ESCAPED),
            (GOOD.replacen('\n', "\\n", 1), ESCAPED),
            (GOOD.replace("\n-----END", "\\n-----END"), ESCAPED),
            (GOOD.replace('\n', ""), NO_LINE_BREAKS),
            (GOOD.replace('\n', " "), NO_LINE_BREAKS),
            (GOOD.replace("\n-----END", "-----END"), NO_LINE_BREAKS),
            (format!("key: {GOOD}"), NO_LINE_BREAKS),
            (GOOD[..40].to_owned(), CUT_OFF),
            (format!("{}\n{GOOD}", &GOOD[..40]), CUT_OFF),
            (GOOD.replace("END PRIVATE", "END EC PRIVATE"), CUT_OFF),
            (GOOD.replace("c2Vj", "c2V!"), DAMAGED),
            (GOOD.replace("c2Vj", "c2V"), DAMAGED),
        ];
        for (text, reason) in cases {
            assert_eq!(parse(text.as_bytes()).err(), Some(reason), "{text:?}");
        }
        assert_eq!(parse(b"\xff\xfe-\0-\0").err(), Some(UTF_16));
        assert_eq!(parse(b"\x30\x82\x01\x02").err(), Some(BINARY));
    }

    #[test]
    fn encrypted_key_is_recognized_in_both_forms() {
        for text in [
            GOOD.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
            GOOD.replace("-----\nc2Vj", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nc2Vj"),
        ] {
            let blocks = parse(text.as_bytes()).expect("a block");
            assert_eq!(blocks[0].label, Label::EncryptedKey, "{text}");
        }
    }
}

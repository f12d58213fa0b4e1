//! Digest fields (RFC 9530): the hash that a client expects its bytes to have, and the hash that the service announces.

use base64::{Engine, engine::general_purpose::STANDARD};
use sfv::{BareItem, Dictionary, Item, ListEntry, Parser};
use thiserror::Error;

/// The only supported algorithm, by its registered name.
const SHA_256: &str = "sha-256";

/// A malformed digest field, or a `sha-256` that is not 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a structured dictionary such as sha-256=:BASE64:, of 32 bytes")]
pub struct InvalidDigest;

/// The SHA-256 that a request's `Content-Digest` or `Repr-Digest` field announces.
///
/// `lines` are all lines of the field, which count as one list (RFC 9651, 4.2). Returns `None` if the list has no member
/// `sha-256`: other algorithms are ignored, whatever their values are.
///
/// # Errors
/// [`InvalidDigest`] if the lines are not a dictionary, or the member `sha-256` is not a byte sequence of 32 bytes.
pub fn expected_sha256(lines: &[&[u8]]) -> Result<Option<[u8; 32]>, InvalidDigest> {
    let joined = lines.join(&b", "[..]);
    let members: Dictionary = Parser::new(&joined).parse().map_err(|_| InvalidDigest)?;
    match members.get(SHA_256) {
        None => Ok(None),
        Some(ListEntry::Item(Item { bare_item: BareItem::ByteSequence(bytes), .. })) => {
            bytes.as_slice().try_into().map(Some).map_err(|_| InvalidDigest)
        }
        Some(_) => Err(InvalidDigest),
    }
}

/// The SHA-256 in a request's `Digest` field (RFC 3230, which RFC 9530 has replaced): `SHA-256=BASE64`, among others.
///
/// # Errors
/// [`InvalidDigest`] if the field is present without a SHA-256 of 32 bytes: no other algorithm is verified, and a client
/// that sends this field expects a check.
pub fn instance_sha256(lines: &[&[u8]]) -> Result<Option<[u8; 32]>, InvalidDigest> {
    let text = std::str::from_utf8(&lines.join(&b","[..])).map_err(|_| InvalidDigest)?.to_owned();
    let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
    let mut members = members.map(|member| member.split_once('=').unwrap_or((member, ""))).peekable();
    if members.peek().is_none() {
        return Ok(None);
    }
    let value = members.find(|(algorithm, _)| algorithm.trim().eq_ignore_ascii_case(SHA_256));
    let (_, value) = value.ok_or(InvalidDigest)?;
    let bytes = STANDARD.decode(value.trim()).map_err(|_| InvalidDigest)?;
    bytes.try_into().map(Some).map_err(|_| InvalidDigest)
}

/// The SHA-256 in a request's `x-amz-content-sha256` field: in hex, or `UNSIGNED-PAYLOAD`.
///
/// # Errors
/// [`InvalidDigest`] if the value is anything else, or the field occurs several times.
pub fn payload_sha256(lines: &[&[u8]]) -> Result<Option<[u8; 32]>, InvalidDigest> {
    match lines {
        [] => Ok(None),
        [line] if line.trim_ascii().eq_ignore_ascii_case(b"UNSIGNED-PAYLOAD") => Ok(None),
        [line] => {
            let mut sha256 = [0; 32];
            hex::decode_to_slice(line.trim_ascii(), &mut sha256).map_err(|_| InvalidDigest)?;
            Ok(Some(sha256))
        }
        _ => Err(InvalidDigest),
    }
}

/// The value of a `Repr-Digest` field: `sha-256=:BASE64:`.
#[must_use]
pub fn repr_digest(sha256: &[u8; 32]) -> String {
    format!("{SHA_256}=:{}:", STANDARD.encode(sha256))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The digest of `{"hello": "world"}\n`, from RFC 9530, appendix D.
    const RFC: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";

    fn read(lines: &[&str]) -> Result<Option<[u8; 32]>, InvalidDigest> {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        expected_sha256(&lines)
    }

    #[test]
    fn the_digest_of_the_rfc_is_read_and_written() {
        let sha256 = read(&[RFC]).unwrap().unwrap();
        assert_eq!(sha256[..4], [0x44, 0xaf, 0xf4, 0xab]);
        assert_eq!(repr_digest(&sha256), RFC);
    }

    #[test]
    fn other_algorithms_are_ignored() {
        let expected = read(&[RFC]);
        let sha_512 = "sha-512=:AAAA:";
        for lines in [
            &[sha_512, RFC][..],
            &[&format!("{sha_512},\t{RFC}")],
            &[&format!("  {RFC} , md5=1, x, y=(1 2)")],
            &[&format!("{RFC};from=agent")],
            // The last of two members counts (RFC 9651, 4.2.2).
            &["sha-256=1", RFC],
        ] {
            assert_eq!(read(lines), expected, "{lines:?}");
        }
        for none in [&[][..], &[""], &[sha_512], &["sha-384=oops", "unixsum=1"]] {
            assert_eq!(read(none), Ok(None), "{none:?}");
        }
    }

    #[test]
    fn malformed_digest_is_an_error() {
        let long = format!("sha-256=:{}:", STANDARD.encode([0; 33]));
        let short = format!("sha-256=:{}:", STANDARD.encode([0; 31]));
        for bad in [
            "sha-256",
            "sha-256=",
            "sha-256=1",
            "sha-256=\"RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=\"",
            "sha-256=RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=",
            "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=",
            "sha-256=(:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:)",
            "sha-256=::",
            "sha-256=:!!!!:",
            "SHA-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
            "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:,",
            ", a",
            "sha-512=:AAAA",
            "\u{e9}",
            &long,
            &short,
        ] {
            assert_eq!(read(&[bad]), Err(InvalidDigest), "{bad:?}");
        }
    }

    #[test]
    fn the_older_field_is_read_if_it_has_a_sha_256() {
        let read =
            |lines: &[&str]| instance_sha256(&lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>());
        let base64 = "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=";
        let expected = expected_sha256(&[RFC.as_bytes()]);
        for line in ["SHA-256=B", "sha-256=B", " md5=x==, Sha-256 = B ,", "SHA=x,SHA-256=B"] {
            assert_eq!(read(&[&line.replace('B', base64)]), expected, "{line}");
        }
        assert_eq!(read(&["md5=x==", &format!("SHA-256={base64}")]), expected);
        for none in [&[][..], &[""], &[" , "]] {
            assert_eq!(read(none), Ok(None), "{none:?}");
        }
        for bad in
            ["md5=x==", "SHA-256", "SHA-256=", "SHA-256=AAAA", "SHA-512=AAAA", "sha-256=:AAAA:", "\u{e9}"]
        {
            assert_eq!(read(&[bad]), Err(InvalidDigest), "{bad}");
        }
        assert_eq!(instance_sha256(&[b"\xff"]), Err(InvalidDigest));
    }

    #[test]
    fn the_field_of_s3_clients_is_hex_or_unsigned() {
        let hex = "44AFF4ab2d7c3250525675a08f0cfa9591168cffe51791c5f5bbc417c15a6c38";
        assert_eq!(payload_sha256(&[hex.as_bytes()]), expected_sha256(&[RFC.as_bytes()]));
        assert_eq!(payload_sha256(&[]), Ok(None));
        assert_eq!(payload_sha256(&[b"UNSIGNED-PAYLOAD"]), Ok(None));
        for bad in [&[&b""[..]][..], &[b"x"], &[&hex.as_bytes()[..62]], &[hex.as_bytes(), hex.as_bytes()]] {
            assert_eq!(payload_sha256(bad), Err(InvalidDigest), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn written_digest_is_parsed_back(sha256 in any::<[u8; 32]>()) {
            prop_assert_eq!(read(&[&repr_digest(&sha256)]), Ok(Some(sha256)));
        }

        #[test]
        fn no_bytes_make_it_panic(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (expected_sha256(&[&line]), instance_sha256(&[&line]), payload_sha256(&[&line]));
        }
    }
}

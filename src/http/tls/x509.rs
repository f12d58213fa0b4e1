//! Parses the few fields of an X.509 certificate (RFC 5280, 4.1) that explain why clients refuse it.

use chrono::{DateTime, NaiveDateTime, Utc};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CertificateInfo {
    /// The version: 1 or 3.
    pub version: u8,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
}

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The tag `[0]`, which contains the version; absent in version 1.
const VERSION: u8 = 0xa0;

/// Parses a certificate in DER; `None` if it is malformed.
pub(super) fn parse(der: &[u8]) -> Option<CertificateInfo> {
    let mut fields = Der(Der(Der(der).take(SEQUENCE)?).take(SEQUENCE)?);
    let (tag, first) = fields.next()?;
    let version = match tag {
        VERSION => {
            fields.take(INTEGER)?;
            Der(first).take(INTEGER)?.first()?.checked_add(1)?
        }
        INTEGER => 1,
        _ => return None,
    };
    let (_algorithm, _issuer) = (fields.take(SEQUENCE)?, fields.take(SEQUENCE)?);
    let mut validity = Der(fields.take(SEQUENCE)?);
    Some(CertificateInfo { version, not_before: time(validity.next()?)?, not_after: time(validity.next()?)? })
}

/// The rest of a sequence of DER values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The tag and the content of the next value.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&short, mut rest) = rest.split_first()?;
        let mut length = usize::from(short);
        if short >= 0x80 {
            let (long, behind) =
                rest.split_at_checked(usize::from(short & 0x7f)).filter(|(l, _)| l.len() <= 4)?;
            length = long.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
            rest = behind;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next value, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

fn time((tag, content): (u8, &[u8])) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(content).ok()?;
    let text = match tag {
        // Two digits of the year: 1950 to 2049.
        UTC_TIME => format!("{}{text}", if text.as_bytes().first()? >= &b'5' { "19" } else { "20" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    Some(NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(from: i32, to: i32) -> Vec<u8> {
        let mut about = rcgen::CertificateParams::new(["a.example".to_owned()]).expect("a name");
        about.not_before = rcgen::date_time_ymd(from, 1, 2);
        about.not_after = rcgen::date_time_ymd(to, 3, 4);
        let key = rcgen::KeyPair::generate().expect("a key");
        about.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn version_and_times_are_read_in_both_forms_of_a_year() {
        let info = parse(&certificate(1999, 2050)).expect("a certificate");
        assert_eq!(info.version, 3);
        assert_eq!(info.not_before.to_rfc3339(), "1999-01-02T00:00:00+00:00");
        assert_eq!(info.not_after.to_rfc3339(), "2050-03-04T00:00:00+00:00");
    }

    #[test]
    fn truncated_or_changed_certificate_does_not_panic() {
        let whole = certificate(2020, 2040);
        for at in 0..whole.len() {
            let _ = parse(&whole[..at]);
            for byte in [0x00, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                let _ = parse(&changed);
            }
        }
        assert_eq!(parse(&whole[..whole.len() - 1]), None);
    }
}

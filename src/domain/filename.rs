//! The file name that a client sends with its backup (`X-Filename`), made safe.

use std::fmt;

use chrono::NaiveDate;
use serde::Serialize;
use uuid::Uuid;

use super::ids::{Extension, extension_suffix_len};

/// The longest file name in bytes, as in most file systems.
const MAX_LEN: usize = 255;
/// The longest unknown extension in bytes, with its dot, that is kept when a name is cut.
const MAX_UNKNOWN_SUFFIX: usize = 32;

/// The quotes that clients put around a name.
const QUOTES: [char; 2] = ['"', '\''];

/// A file name of 1 to 255 characters from `[A-Za-z0-9._-]`, not only dots. It is safe in a header, on a terminal and in a
/// file system.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Filename(String);

impl Filename {
    /// Makes a safe file name from the value of the header:
    /// * If the value looks like `Content-Disposition` (`attachment; filename="a.gpg"`), the name is that parameter.
    /// * The path before the last `/` or `\` is removed, then quotes and spaces around the name.
    /// * Each character outside `[A-Za-z0-9._-]` becomes one `_`. Bytes that are not UTF-8 are first decoded to replacement
    ///   characters. Percent signs are not decoded, because they may be part of the name.
    /// * A name that is too long is cut before its extension.
    ///
    /// `None` if the result is empty or has only dots. Then the caller behaves as if there were no header.
    #[must_use]
    pub fn from_header(value: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(value);
        let name = disposition(&text).unwrap_or(&text);
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        Self::made_safe(last.trim_matches(|c: char| c.is_whitespace() || QUOTES.contains(&c)))
    }

    fn made_safe(text: &str) -> Option<Self> {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let name: String = text.chars().map(|c| if safe(c) { c } else { '_' }).collect();
        let name = cut(name);
        let only_dots = name.bytes().all(|b| b == b'.');
        (!only_dots).then_some(Self(name))
    }

    /// Returns the name of a backup that was uploaded without a name.
    #[must_use]
    pub fn default_for(uuid: Uuid, ext: Extension) -> Self {
        Self(format!("backup-{}.{}", uuid.hyphenated(), ext.as_str()))
    }

    /// Returns the name under which a browser saves a backup: it has the system and the day
    /// (`fw-01-2026-11-21-daily.tar.gz.gpg`).
    #[must_use]
    pub fn for_download(system_name: &str, day: NaiveDate, filename: &str) -> Self {
        let text = format!("{system_name}-{day}-{filename}");
        // The text contains a date, so it is neither empty nor only dots.
        Self::made_safe(&text).unwrap_or_else(|| Self(format!("{day}")))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the extension of this name, which becomes that of the backup's id.
    #[must_use]
    pub fn ext(&self) -> Extension {
        Extension::of_filename(&self.0)
    }
}

impl fmt::Display for Filename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the name in a value that looks like `Content-Disposition` (RFC 6266): `attachment; filename="NAME"`, the parameter
/// `filename="NAME"` alone, or `filename*=UTF-8''NAME`.
fn disposition(text: &str) -> Option<&str> {
    let starts_with =
        |text: &str, word: &str| text.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word));
    let value = |name: &str| {
        // The type and other parameters may come first.
        let mut starts = std::iter::once(0).chain(text.match_indices(';').map(|(at, _)| at + 1));
        starts.find_map(|at| {
            let parameter = text[at..].trim_start();
            starts_with(parameter, name).then(|| parameter[name.len()..].trim_start())
        })
    };
    if let Some(value) = value("filename=") {
        let quote = value.chars().next().filter(|c| QUOTES.contains(c));
        return Some(match quote {
            Some(quote) => value[1..].split(quote).next().unwrap_or_default(),
            None => value.split(';').next().unwrap_or_default(),
        });
    }
    let value = value("filename*=")?.split(';').next().unwrap_or_default();
    Some(value.splitn(3, '\'').nth(2).unwrap_or(value))
}

/// Cuts an ASCII name to [`MAX_LEN`] bytes, and keeps its extension.
fn cut(name: String) -> String {
    if name.len() <= MAX_LEN {
        return name;
    }
    let (stem, suffix) = name.split_at(name.len() - suffix_len(&name));
    format!("{}{suffix}", &stem[..MAX_LEN - suffix.len()])
}

/// Returns the length of the extension that is kept when a name is cut: a known extension, together with another known one
/// before `.gpg` (`.tar.gz.gpg`); else the text from the last dot on, if it is short.
fn suffix_len(name: &str) -> usize {
    let known = |name: &str| {
        let lens = Extension::ALL.map(|ext| extension_suffix_len(name, ext.as_str()));
        lens.into_iter().flatten().next()
    };
    let Some(outer) = known(name) else {
        let unknown = name.rfind('.').map_or(0, |dot| name.len() - dot);
        return if unknown <= MAX_UNKNOWN_SUFFIX { unknown } else { 0 };
    };
    if Extension::of_filename(name) != Extension::Gpg {
        return outer;
    }
    outer + known(&name[..name.len() - outer]).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(value: &[u8]) -> Option<String> {
        Filename::from_header(value).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn a_name_is_made_safe() {
        for (value, name) in [
            (&b"config.tar.gz"[..], "config.tar.gz"),
            (b"fw-01_2026.gpg", "fw-01_2026.gpg"),
            (b"/etc/passwd", "passwd"),
            (b"..\\..\\boot.ini", "boot.ini"),
            (b"a/b\\c.gpg", "c.gpg"),
            (b"my backup (1).gpg", "my_backup__1_.gpg"),
            ("für.gpg".as_bytes(), "f_r.gpg"),
            ("\u{1f512}.gpg".as_bytes(), "_.gpg"),
            (b"a\xff\xfeb.gpg", "a__b.gpg"),
            (b"a\"; x=\"y.gpg", "a___x__y.gpg"),
            (b"a\r\nb", "a__b"),
            (b".hidden", ".hidden"),
            (b"...a", "...a"),
            (b"\"backup.tar.gz\"", "backup.tar.gz"),
            (b"'backup.tar.gz'", "backup.tar.gz"),
            (b" \" backup.tar.gz \" ", "backup.tar.gz"),
            (b"\"backup.tar.gz", "backup.tar.gz"),
            (b"backup.tar.gz\"", "backup.tar.gz"),
            (b"\"/var/tmp/backup.tar.gz\"", "backup.tar.gz"),
            (b"\"C:\\backups\\fw.tar.xz\"", "fw.tar.xz"),
            (b"it's.gpg", "it_s.gpg"),
            (b"filename=backup.tar.gz", "backup.tar.gz"),
            (b"filename=\"my backup; 1.tar.gz\"; size=3", "my_backup__1.tar.gz"),
            (b"attachment; filename=\"backup.tar.gz\"", "backup.tar.gz"),
            (b"Attachment;FileName='dir/backup.tar.gz';x=y", "backup.tar.gz"),
            (b"form-data; name=\"file\"; filename=\"backup.tar.gz\"", "backup.tar.gz"),
            (b"attachment; filename*=UTF-8''na%C3%AFve.tar.gz", "na_C3_AFve.tar.gz"),
            (b"attachment; filename*=UTF-8''b.gpg; filename=a.gpg", "a.gpg"),
            (b"filename*=b.gpg", "b.gpg"),
            (b"attachment", "attachment"),
            (b"attachment; size=3.gpg", "attachment__size_3.gpg"),
            (b"my-filename=a.gpg", "my-filename_a.gpg"),
            (b"a;filename=b.gpg", "b.gpg"),
            (b"%22backup%20x.tar.gz", "_22backup_20x.tar.gz"),
        ] {
            assert_eq!(named(value).as_deref(), Some(name), "{value:?}");
        }
    }

    #[test]
    fn a_download_says_whose_it_is_and_of_which_day() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 3).unwrap();
        let long = "x".repeat(300);
        for (system, filename, name) in [
            ("fw-01", "daily.tar.gz.gpg", "fw-01-2026-11-03-daily.tar.gz.gpg".to_owned()),
            ("Wien / Büro", "a.gpg", "Wien___B_ro-2026-11-03-a.gpg".to_owned()),
            ("a\"\r\nX: y", "a.bin", "a___X__y-2026-11-03-a.bin".to_owned()),
            (&long, "a.tar.gz", format!("{}.tar.gz", "x".repeat(248))),
            ("..", "a.gpg", "..-2026-11-03-a.gpg".to_owned()),
            ("\"fw\" filename=x", "a.gpg", "_fw__filename_x-2026-11-03-a.gpg".to_owned()),
        ] {
            assert_eq!(Filename::for_download(system, day, filename).as_str(), name);
        }
    }

    #[test]
    fn nothing_or_only_dots_is_no_name() {
        let dots = [b'.'; 300];
        let only_dots_once_cut = [&dots[..], &[b'x'; 40]].concat();
        for value in [
            &b""[..],
            b".",
            b"..",
            b"...",
            b"/",
            b"a/",
            b"a\\",
            b"a/..",
            b" ",
            b"\"\"",
            b"'..'",
            b"\"a/\"",
            b"filename=",
            b"filename=\"\"",
            &dots,
            &only_dots_once_cut,
        ] {
            assert_eq!(named(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        for suffix in [".tar.gz", ".TAR.XZ", ".gpg", ".tar.gz.gpg", ".bin.gpg", ".bin", ".conf", ""] {
            let long = format!("{}{suffix}", "n".repeat(300));
            let name = named(long.as_bytes()).unwrap();
            assert_eq!(name.len(), 255);
            assert!(name.ends_with(&format!("n{suffix}")), "{name}");
            // 255 is allowed, not only below.
            let fits = format!("{}{suffix}", "n".repeat(255 - suffix.len()));
            assert_eq!(named(fits.as_bytes()), Some(fits));
        }
        let no_extension = format!("a.{}", "n".repeat(300));
        let name = named(no_extension.as_bytes()).unwrap();
        assert_eq!(name, no_extension[..255]);
    }

    #[test]
    fn the_default_name_has_the_id_in_it() {
        let uuid = Uuid::parse_str("018f3a5c-7b1e-7c3d-9a2b-0123456789ab").unwrap();
        let name = Filename::default_for(uuid, Extension::TarGz);
        let expected = "backup-018f3a5c-7b1e-7c3d-9a2b-0123456789ab.tar.gz";
        assert_eq!(name.as_str(), expected);
        assert_eq!(name.ext(), Extension::TarGz);
        assert_eq!(named(expected.as_bytes()).as_deref(), Some(expected));
    }

    proptest! {
        #[test]
        fn every_name_is_safe_and_stays_the_same_when_read_again(
            value in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            if let Some(name) = Filename::from_header(&value) {
                let name = name.as_str();
                prop_assert!((1..=255).contains(&name.len()));
                prop_assert!(name.bytes().all(
                    |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')
                ));
                prop_assert!(name.bytes().any(|b| b != b'.'));
                prop_assert_eq!(named(name.as_bytes()), Some(name.to_owned()));
            }
        }

        #[test]
        fn cutting_never_changes_the_extension(
            stem in "[a-z.]{0,400}",
            ext in proptest::sample::select(vec!["", ".gpg", ".tar.gz", ".tar.bz2.gpg", ".x"]),
        ) {
            let whole = format!("{stem}{ext}");
            if let Some(name) = Filename::from_header(whole.as_bytes()) {
                prop_assert_eq!(name.ext(), Extension::of_filename(&whole));
            }
        }
    }
}

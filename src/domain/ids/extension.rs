//! The extensions that a backup's id can have.

/// The kind of a backup's file, as its name says. The content is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Extension {
    /// `tar.gz`
    TarGz,
    /// `tar.xz`
    TarXz,
    /// `tar.bz2`
    TarBz2,
    /// `tar.zst`
    TarZst,
    /// `gpg`
    Gpg,
    /// `bin`: any other file.
    Bin,
}

impl Extension {
    /// All extensions.
    pub const ALL: [Self; 6] = [Self::TarGz, Self::TarXz, Self::TarBz2, Self::TarZst, Self::Gpg, Self::Bin];

    /// Returns the extension at the end of a file name, in any letter case; [`Extension::Bin`] if it has no known extension.
    /// `x.tar.gz.gpg` is [`Extension::Gpg`].
    #[must_use]
    pub fn of_filename(name: &str) -> Self {
        let ends_in = |ext: &Self| suffix_len(name, ext.as_str()).is_some();
        Self::ALL.into_iter().find(ends_in).unwrap_or(Self::Bin)
    }

    /// Returns the extension without a leading dot, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::TarXz => "tar.xz",
            Self::TarBz2 => "tar.bz2",
            Self::TarZst => "tar.zst",
            Self::Gpg => "gpg",
            Self::Bin => "bin",
        }
    }

    /// Parses exactly one extension, without a leading dot. Letter case is ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let same = |ext: &Self| ext.as_str().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(same)
    }
}

/// Returns the length of `.{ext}` if `name` ends with it, in any letter case.
pub(in crate::domain) fn suffix_len(name: &str, ext: &str) -> Option<usize> {
    let dot = name.len().checked_sub(ext.len() + 1)?;
    let tail = name.as_bytes().get(dot..)?;
    (tail[0] == b'.' && tail[1..].eq_ignore_ascii_case(ext.as_bytes())).then_some(ext.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_file_name_decides_without_case() {
        for (name, ext) in [
            ("a.tar.gz", Extension::TarGz),
            ("a.TAR.GZ", Extension::TarGz),
            ("a.tar.xz", Extension::TarXz),
            ("a.Tar.Bz2", Extension::TarBz2),
            ("a.tar.zst", Extension::TarZst),
            ("a.gpg", Extension::Gpg),
            ("a.tar.gz.gpg", Extension::Gpg),
            ("a.gpg.tar.gz", Extension::TarGz),
            (".gpg", Extension::Gpg),
            ("a.bin", Extension::Bin),
            ("a.gz", Extension::Bin),
            ("atar.gz", Extension::Bin),
            ("agpg", Extension::Bin),
            ("gpg", Extension::Bin),
            ("a.gpg ", Extension::Bin),
            ("a.pgp", Extension::Bin),
            ("é.gpg", Extension::Gpg),
            ("ééé", Extension::Bin),
            ("", Extension::Bin),
        ] {
            assert_eq!(Extension::of_filename(name), ext, "{name:?}");
        }
    }

    #[test]
    fn parse_takes_exactly_an_extension() {
        for ext in Extension::ALL {
            assert_eq!(Extension::parse(ext.as_str()), Some(ext));
            assert_eq!(Extension::parse(&ext.as_str().to_uppercase()), Some(ext));
        }
        for bad in ["", ".gpg", "gpg ", "tar", "gz", "zip", "tar.gz.gpg"] {
            assert_eq!(Extension::parse(bad), None, "{bad:?}");
        }
    }
}

//! Follows a chunked body (RFC 9112, 7.1) to its end, without changing it.

use super::malformed::Fault;

/// The most digits of a chunk's size: enough for 2^60 bytes.
const DIGITS: usize = 15;
/// The longest line with a chunk's size, and the most bytes of trailers.
const LINE: usize = 4096;

/// Where in the body it is.
#[derive(Debug)]
pub(super) struct Chunks {
    place: Place,
    /// Bytes of this chunk still to come.
    size: u64,
    /// Digits of the size that is being read.
    digits: usize,
    /// Bytes of the line, or of the trailers, that is being read.
    line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size,
    AfterSize,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a trailer's line, or of the empty line that ends the body.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    End,
}

/// How far a piece of a body goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// To the end of the piece, and further.
    All,
    /// The body ends after so many bytes of the piece.
    End(usize),
    /// So many bytes are good. The next one is not.
    Broken(usize, Fault),
}

impl Chunks {
    pub fn new() -> Self {
        Self { place: Place::Size, size: 0, digits: 0, line: 0 }
    }

    /// Looks at the next piece of the body, which may go on behind it with something else.
    pub fn scan(&mut self, piece: &[u8]) -> Scanned {
        let mut at = 0;
        while let Some(byte) = piece.get(at) {
            if self.place == Place::Data {
                let rest = piece.len() - at;
                let taken = usize::try_from(self.size).map_or(rest, |size| size.min(rest));
                self.size -= taken as u64;
                at += taken;
                if self.size == 0 {
                    self.place = Place::DataCr;
                }
                continue;
            }
            match self.step(*byte) {
                Ok(place) => self.place = place,
                Err(fault) => return Scanned::Broken(at, fault),
            }
            at += 1;
            if self.place == Place::End {
                return Scanned::End(at);
            }
        }
        Scanned::All
    }

    /// Where a byte that is not data leads to.
    fn step(&mut self, byte: u8) -> Result<Place, Fault> {
        self.line += 1;
        match (self.place, byte) {
            (Place::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (Place::Size, _) if self.digits == 0 => Err(Fault::ChunkSize),
            (Place::AfterSize, b' ' | b'\t') if self.line > LINE => Err(Fault::ChunkExtension),
            (Place::Size | Place::AfterSize, b' ' | b'\t') => Ok(Place::AfterSize),
            (Place::Size | Place::AfterSize, b';') => Ok(Place::Extension),
            (Place::Size | Place::AfterSize | Place::Extension, b'\r') => Ok(Place::SizeLf),
            (Place::Size | Place::AfterSize, b'\n') => Err(Fault::ChunkEnd),
            (Place::Size | Place::AfterSize, _) => Err(Fault::ChunkSize),
            (Place::Extension, _) if self.line > LINE || is_control(byte) => Err(Fault::ChunkExtension),
            (Place::Extension, _) => Ok(Place::Extension),
            (Place::SizeLf, b'\n') => {
                self.line = 0;
                Ok(if self.size == 0 { Place::TrailerStart } else { Place::Data })
            }
            (Place::DataCr, b'\r') => Ok(Place::DataLf),
            (Place::DataLf, b'\n') => {
                *self = Self::new();
                Ok(Place::Size)
            }
            (Place::TrailerStart, b'\r') => Ok(Place::EndLf),
            (Place::EndLf, b'\n') => Ok(Place::End),
            (Place::TrailerStart | Place::TrailerName, _) if is_token(byte) => {
                self.trailer(Place::TrailerName)
            }
            (Place::TrailerName, b':') => self.trailer(Place::TrailerValue),
            (Place::TrailerValue, b'\r') => Ok(Place::TrailerLf),
            (Place::TrailerValue, _) if !is_control(byte) => self.trailer(Place::TrailerValue),
            (Place::TrailerLf, b'\n') => Ok(Place::TrailerStart),
            (Place::SizeLf | Place::DataCr | Place::DataLf | Place::Data | Place::End, _) => {
                Err(Fault::ChunkEnd)
            }
            (
                Place::TrailerStart
                | Place::TrailerName
                | Place::TrailerValue
                | Place::TrailerLf
                | Place::EndLf,
                _,
            ) => Err(Fault::Trailer),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<Place, Fault> {
        self.digits += 1;
        if self.digits > DIGITS {
            return Err(Fault::ChunkTooLarge);
        }
        let digit = char::from(byte).to_digit(16).ok_or(Fault::ChunkSize)?;
        self.size = self.size * 16 + u64::from(digit);
        Ok(Place::Size)
    }

    fn trailer(&self, place: Place) -> Result<Place, Fault> {
        if self.line > LINE { Err(Fault::Trailer) } else { Ok(place) }
    }
}

/// Whether a byte has no place in a line. The tab has.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

/// Whether a header's name may have this byte in it (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans a body in one piece and byte by byte, which must not make a difference.
    fn scan(body: &[u8]) -> Scanned {
        let whole = Chunks::new().scan(body);
        let mut chunks = Chunks::new();
        let slowly = body.iter().enumerate().find_map(|(at, byte)| match chunks.scan(&[*byte]) {
            Scanned::All => None,
            Scanned::End(more) => Some(Scanned::End(at + more)),
            Scanned::Broken(_, fault) => Some(Scanned::Broken(at, fault)),
        });
        assert_eq!(slowly.unwrap_or(Scanned::All), whole, "{body:?}");
        whole
    }

    #[test]
    fn a_body_ends_with_its_last_chunk_and_its_trailers() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "A\r\n0123456789\r\n000\r\n\r\n",
            "5;name=value\r\nhello\r\n3 ; x\r\n\r\n0\r\n0;last\r\n\r\n",
            "5\r\n0\r\n\r\n\r\n0\r\nX-Y: z\r\nother:\r\n\r\n",
        ] {
            assert_eq!(scan(format!("{body}GET / HTTP").as_bytes()), Scanned::End(body.len()), "{body:?}");
            assert_eq!(scan(&body.as_bytes()[..body.len() - 1]), Scanned::All, "{body:?}");
        }
    }

    #[test]
    fn what_is_malformed_has_the_fault_that_names_it() {
        for (good, next, fault) in [
            ("", "\r\n", Fault::ChunkSize),
            ("", "-5\r\n", Fault::ChunkSize),
            ("0", "x5\r\n", Fault::ChunkSize),
            ("5 ", "5\r\n", Fault::ChunkSize),
            ("5", "\nhello", Fault::ChunkEnd),
            ("5\r", "hello", Fault::ChunkEnd),
            ("5\r\nhello", "\n0", Fault::ChunkEnd),
            ("5\r\nhello", "XX", Fault::ChunkEnd),
            ("5\r\nhello\r", "\r", Fault::ChunkEnd),
            ("fffffffffffffff", "f\r\n", Fault::ChunkTooLarge),
            ("5;a", "\nb", Fault::ChunkExtension),
            ("5;a\r", "b", Fault::ChunkEnd),
            ("0\r\n", "\n", Fault::Trailer),
            ("0\r\n\r", "\r", Fault::Trailer),
            ("0\r\nGET", " / HTTP/1.1\r\n\r\n", Fault::Trailer),
            ("0\r\nX: y", "\n\r\n", Fault::Trailer),
        ] {
            let body = format!("{good}{next}");
            assert_eq!(scan(body.as_bytes()), Scanned::Broken(good.len(), fault), "{body:?}");
        }
        let long = format!("5;{}", "a".repeat(LINE));
        assert_eq!(scan(long.as_bytes()), Scanned::Broken(LINE, Fault::ChunkExtension));
        let long = format!("5{}", " ".repeat(LINE));
        assert_eq!(scan(long.as_bytes()), Scanned::Broken(LINE, Fault::ChunkExtension));
        let long = format!("0\r\nX:{}", "a".repeat(LINE));
        assert_eq!(scan(long.as_bytes()), Scanned::Broken(LINE + 3, Fault::Trailer));
    }
}

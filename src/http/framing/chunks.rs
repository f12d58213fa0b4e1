//! Finds the end of a chunked body (RFC 9112, 7.1) without changing the body.

use super::malformed::MalformedRequest;

/// The longest chunk size in hexadecimal digits: enough for 2^60 bytes.
const MAX_SIZE_DIGITS: usize = 15;
/// The longest line with a chunk size, and the longest trailers, in bytes.
const MAX_LINE: usize = 4096;

/// The position in a chunked body.
#[derive(Debug)]
pub(super) struct ChunkedBody {
    state: ChunkState,
    /// The remaining bytes of the current chunk.
    size: u64,
    /// The digits read of the current chunk size.
    digits: usize,
    /// The bytes read of the current line or of the trailers.
    line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChunkState {
    Size,
    AfterSize,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a trailer, or of the empty line that ends the body.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    End,
}

/// The result of scanning a piece of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ScanResult {
    /// The body continues after the piece.
    Continues,
    /// The body ends after this many bytes of the piece.
    End(usize),
    /// After this many bytes the body is malformed.
    Malformed(usize, MalformedRequest),
}

impl ChunkedBody {
    pub fn new() -> Self {
        Self { state: ChunkState::Size, size: 0, digits: 0, line: 0 }
    }

    /// Scans the next piece, which may contain more than the rest of the body.
    pub fn scan(&mut self, piece: &[u8]) -> ScanResult {
        let mut at = 0;
        while let Some(byte) = piece.get(at) {
            if self.state == ChunkState::Data {
                let rest = piece.len() - at;
                let taken = usize::try_from(self.size).map_or(rest, |size| size.min(rest));
                self.size -= taken as u64;
                at += taken;
                if self.size == 0 {
                    self.state = ChunkState::DataCr;
                }
                continue;
            }
            match self.step(*byte) {
                Ok(state) => self.state = state,
                Err(error) => return ScanResult::Malformed(at, error),
            }
            at += 1;
            if self.state == ChunkState::End {
                return ScanResult::End(at);
            }
        }
        ScanResult::Continues
    }

    /// Returns the next state after a byte that is not data.
    fn step(&mut self, byte: u8) -> Result<ChunkState, MalformedRequest> {
        self.line += 1;
        match (self.state, byte) {
            (ChunkState::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (ChunkState::Size, _) if self.digits == 0 => Err(MalformedRequest::ChunkSize),
            (ChunkState::AfterSize, b' ' | b'\t') if self.line > MAX_LINE => {
                Err(MalformedRequest::ChunkExtension)
            }
            (ChunkState::Size | ChunkState::AfterSize, b' ' | b'\t') => Ok(ChunkState::AfterSize),
            (ChunkState::Size | ChunkState::AfterSize, b';') => Ok(ChunkState::Extension),
            (ChunkState::Size | ChunkState::AfterSize | ChunkState::Extension, b'\r') => {
                Ok(ChunkState::SizeLf)
            }
            (ChunkState::Size | ChunkState::AfterSize, b'\n') => Err(MalformedRequest::ChunkEnd),
            (ChunkState::Size | ChunkState::AfterSize, _) => Err(MalformedRequest::ChunkSize),
            (ChunkState::Extension, _) if self.line > MAX_LINE || is_control(byte) => {
                Err(MalformedRequest::ChunkExtension)
            }
            (ChunkState::Extension, _) => Ok(ChunkState::Extension),
            (ChunkState::SizeLf, b'\n') => {
                self.line = 0;
                Ok(if self.size == 0 { ChunkState::TrailerStart } else { ChunkState::Data })
            }
            (ChunkState::DataCr, b'\r') => Ok(ChunkState::DataLf),
            (ChunkState::DataLf, b'\n') => {
                *self = Self::new();
                Ok(ChunkState::Size)
            }
            (ChunkState::TrailerStart, b'\r') => Ok(ChunkState::EndLf),
            (ChunkState::EndLf, b'\n') => Ok(ChunkState::End),
            (ChunkState::TrailerStart | ChunkState::TrailerName, _) if is_token(byte) => {
                self.trailer(ChunkState::TrailerName)
            }
            (ChunkState::TrailerName, b':') => self.trailer(ChunkState::TrailerValue),
            (ChunkState::TrailerValue, b'\r') => Ok(ChunkState::TrailerLf),
            (ChunkState::TrailerValue, _) if !is_control(byte) => self.trailer(ChunkState::TrailerValue),
            (ChunkState::TrailerLf, b'\n') => Ok(ChunkState::TrailerStart),
            (
                ChunkState::SizeLf
                | ChunkState::DataCr
                | ChunkState::DataLf
                | ChunkState::Data
                | ChunkState::End,
                _,
            ) => Err(MalformedRequest::ChunkEnd),
            (
                ChunkState::TrailerStart
                | ChunkState::TrailerName
                | ChunkState::TrailerValue
                | ChunkState::TrailerLf
                | ChunkState::EndLf,
                _,
            ) => Err(MalformedRequest::Trailer),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<ChunkState, MalformedRequest> {
        self.digits += 1;
        if self.digits > MAX_SIZE_DIGITS {
            return Err(MalformedRequest::ChunkTooLarge);
        }
        let digit = char::from(byte).to_digit(16).ok_or(MalformedRequest::ChunkSize)?;
        self.size = self.size * 16 + u64::from(digit);
        Ok(ChunkState::Size)
    }

    fn trailer(&self, state: ChunkState) -> Result<ChunkState, MalformedRequest> {
        if self.line > MAX_LINE { Err(MalformedRequest::Trailer) } else { Ok(state) }
    }
}

/// Whether this byte is not allowed in a line. A tab is allowed.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

/// Whether a header name may contain this byte (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans a body in one piece and byte by byte. The result must be the same.
    fn scan(body: &[u8]) -> ScanResult {
        let whole = ChunkedBody::new().scan(body);
        let mut chunks = ChunkedBody::new();
        let slowly = body.iter().enumerate().find_map(|(at, byte)| match chunks.scan(&[*byte]) {
            ScanResult::Continues => None,
            ScanResult::End(more) => Some(ScanResult::End(at + more)),
            ScanResult::Malformed(_, error) => Some(ScanResult::Malformed(at, error)),
        });
        assert_eq!(slowly.unwrap_or(ScanResult::Continues), whole, "{body:?}");
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
            assert_eq!(scan(format!("{body}GET / HTTP").as_bytes()), ScanResult::End(body.len()), "{body:?}");
            assert_eq!(scan(&body.as_bytes()[..body.len() - 1]), ScanResult::Continues, "{body:?}");
        }
    }

    #[test]
    fn malformed_body_is_reported_at_its_first_wrong_byte() {
        for (good, next, error) in [
            ("", "\r\n", MalformedRequest::ChunkSize),
            ("", "-5\r\n", MalformedRequest::ChunkSize),
            ("0", "x5\r\n", MalformedRequest::ChunkSize),
            ("5 ", "5\r\n", MalformedRequest::ChunkSize),
            ("5", "\nhello", MalformedRequest::ChunkEnd),
            ("5\r", "hello", MalformedRequest::ChunkEnd),
            ("5\r\nhello", "\n0", MalformedRequest::ChunkEnd),
            ("5\r\nhello", "XX", MalformedRequest::ChunkEnd),
            ("5\r\nhello\r", "\r", MalformedRequest::ChunkEnd),
            ("fffffffffffffff", "f\r\n", MalformedRequest::ChunkTooLarge),
            ("5;a", "\nb", MalformedRequest::ChunkExtension),
            ("5;a\r", "b", MalformedRequest::ChunkEnd),
            ("0\r\n", "\n", MalformedRequest::Trailer),
            ("0\r\n\r", "\r", MalformedRequest::Trailer),
            ("0\r\nGET", " / HTTP/1.1\r\n\r\n", MalformedRequest::Trailer),
            ("0\r\nX: y", "\n\r\n", MalformedRequest::Trailer),
        ] {
            let body = format!("{good}{next}");
            assert_eq!(scan(body.as_bytes()), ScanResult::Malformed(good.len(), error), "{body:?}");
        }
        let long = format!("5;{}", "a".repeat(MAX_LINE));
        assert_eq!(scan(long.as_bytes()), ScanResult::Malformed(MAX_LINE, MalformedRequest::ChunkExtension));
        let long = format!("5{}", " ".repeat(MAX_LINE));
        assert_eq!(scan(long.as_bytes()), ScanResult::Malformed(MAX_LINE, MalformedRequest::ChunkExtension));
        let long = format!("0\r\nX:{}", "a".repeat(MAX_LINE));
        assert_eq!(scan(long.as_bytes()), ScanResult::Malformed(MAX_LINE + 3, MalformedRequest::Trailer));
    }
}

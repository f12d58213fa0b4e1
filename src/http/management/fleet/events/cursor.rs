//! The cursor of a list of events: where its next page begins. Callers pass it back as it is, and it fits every such list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;

use crate::fleet::EventPosition;

/// The first byte of a cursor: another form gets another number.
const FORM: u8 = 1;

/// Returns the cursor of the page behind an event.
pub(super) fn encode(EventPosition { at, id }: EventPosition) -> String {
    let mut bytes = vec![FORM];
    bytes.extend(at.timestamp_micros().to_be_bytes());
    bytes.extend(id.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the place of a cursor; `None` if it is none.
pub(super) fn decode(cursor: &str) -> Option<EventPosition> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (at, id) = bytes.strip_prefix(&[FORM])?.split_first_chunk::<8>()?;
    let at =
        DateTime::from_timestamp_micros(i64::from_be_bytes(*at)).filter(|at| *at >= DateTime::UNIX_EPOCH)?;
    Some(EventPosition { at, id: i64::from_be_bytes(id.try_into().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_leads_back_to_its_position() {
        let at = DateTime::from_timestamp_micros(1_775_986_200_123_456).unwrap();
        let position = EventPosition { at, id: 5_000_001 };
        assert_eq!(decode(&encode(position)), Some(position));
    }

    #[test]
    fn other_texts_are_no_cursors() {
        let cursor = encode(EventPosition { at: DateTime::UNIX_EPOCH, id: 1 });
        for text in ["", "x", "AQ", "not base64!", &format!("{cursor}A"), &cursor[1..]] {
            assert_eq!(decode(text), None, "{text:?}");
        }
        // Beyond the calendar of Postgres, and of this program.
        for micros in [i64::MIN, i64::MAX, -1] {
            let mut bytes = vec![FORM];
            bytes.extend(micros.to_be_bytes());
            bytes.extend(1_i64.to_be_bytes());
            assert_eq!(decode(&URL_SAFE_NO_PAD.encode(bytes)), None, "{micros}");
        }
    }
}

//! The cursor of a list: where its next page begins. Callers pass it back as it is.
//!
//! A cursor is bound to the order and the filters of its list. With others it would skip systems.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::query::SystemQuery;
use crate::db::systems::{Position, SortKey};
use crate::domain::ids::OrgId;

/// The first byte: another form gets another number.
const FORM: u8 = 1;
/// The bytes of the hash of order and filters.
const LIST: usize = 8;

/// Returns the cursor for the page behind `position`.
pub(super) fn encode(query: &SystemQuery, position: &Position) -> Option<String> {
    let mut bytes = vec![FORM];
    bytes.extend(list(query));
    match position {
        Position::Id(id) => bytes.extend(id.as_bytes()),
        Position::Name(name, id) => {
            bytes.extend(id.as_bytes());
            bytes.extend(name.as_bytes());
        }
        Position::ProtectedUntil(at, id) => {
            bytes.extend(id.as_bytes());
            bytes.extend(at.iter().flat_map(|at| at.timestamp_micros().to_be_bytes()));
        }
        // The order of the command line, which needs no cursor.
        Position::OrgAndName { .. } => return None,
    }
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Returns the position of a cursor; `None` if it is not one of this list.
pub(super) fn decode(query: &SystemQuery, cursor: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let rest = bytes.strip_prefix(&[FORM])?.strip_prefix(&list(query))?;
    let (id, value) = rest.split_first_chunk::<16>()?;
    let id = Uuid::from_bytes(*id);
    match query.sort.key {
        SortKey::Id => value.is_empty().then_some(Position::Id(id)),
        // Postgres refuses a text with a zero byte.
        SortKey::Name => {
            let name = str::from_utf8(value).ok().filter(|name| !name.contains('\0'))?;
            Some(Position::Name(name.to_owned(), id))
        }
        SortKey::ProtectedUntil if value.is_empty() => Some(Position::ProtectedUntil(None, id)),
        SortKey::ProtectedUntil => {
            let at = DateTime::from_timestamp_micros(i64::from_be_bytes(value.try_into().ok()?));
            // Earlier ones may be beyond the calendar of Postgres.
            let at = at.filter(|at| *at >= DateTime::UNIX_EPOCH)?;
            Some(Position::ProtectedUntil(Some(at), id))
        }
        SortKey::OrgAndName => None,
    }
}

/// Returns a hash of order and filters.
fn list(query: &SystemQuery) -> [u8; LIST] {
    let SystemQuery { statuses, org, text, sort } = query;
    let mut words: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    let form = format!("{sort:?} {words:?} {:?} {text:?}", org.as_ref().map(OrgId::as_str));
    let mut list = [0; LIST];
    list.iter_mut().zip(Sha256::digest(form)).for_each(|(to, from)| *to = from);
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::systems::Sort;
    use crate::domain::status::SystemStatus::{Late, Refused};

    fn query(key: SortKey) -> SystemQuery {
        SystemQuery { statuses: vec![], org: None, text: None, sort: Sort { key, descending: false } }
    }

    #[test]
    fn cursor_leads_back_to_its_position() {
        let id = Uuid::from_u128(7);
        let at = DateTime::from_timestamp_micros(1_775_986_200_123_456);
        for (key, position) in [
            (SortKey::Id, Position::Id(id)),
            (SortKey::Name, Position::Name("Main office, \u{fc}".to_owned(), id)),
            (SortKey::ProtectedUntil, Position::ProtectedUntil(at, id)),
            (SortKey::ProtectedUntil, Position::ProtectedUntil(None, id)),
        ] {
            let cursor = encode(&query(key), &position).unwrap();
            assert!(cursor.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'), "{cursor}");
            assert_eq!(decode(&query(key), &cursor), Some(position));
        }
    }

    #[test]
    fn cursor_of_another_list_is_refused() {
        let cursor = encode(&query(SortKey::Id), &Position::Id(Uuid::from_u128(7))).unwrap();
        let plain = query(SortKey::Id);
        let others = [
            query(SortKey::Name),
            SystemQuery { sort: Sort { key: SortKey::Id, descending: true }, ..plain.clone() },
            SystemQuery { statuses: vec![Late], ..plain.clone() },
            SystemQuery { org: OrgId::parse("acme").ok(), ..plain.clone() },
            SystemQuery { text: Some("fw".to_owned()), ..plain.clone() },
        ];
        for other in others {
            assert_eq!(decode(&other, &cursor), None, "{other:?}");
        }
        for text in ["", "x", "AQ", "not base64!", &format!("{cursor}A"), &cursor[1..]] {
            assert_eq!(decode(&plain, text), None, "{text:?}");
        }
        let before_1970 = DateTime::from_timestamp_micros(-1);
        let cursor =
            encode(&query(SortKey::ProtectedUntil), &Position::ProtectedUntil(before_1970, Uuid::nil()));
        assert_eq!(decode(&query(SortKey::ProtectedUntil), &cursor.unwrap()), None);
    }

    #[test]
    fn order_of_the_statuses_does_not_matter() {
        let of = |statuses| SystemQuery { statuses, ..query(SortKey::Id) };
        let cursor = encode(&of(vec![Late, Refused]), &Position::Id(Uuid::nil())).unwrap();
        assert!(decode(&of(vec![Refused, Late, Refused]), &cursor).is_some());
    }
}

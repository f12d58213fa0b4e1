//! Finds the system that an operator means.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::super::{Conn, DbError};
use super::summary::{COLUMNS, FROM, SystemSummary};
use crate::domain::ids::OrgId;

/// Returns the system with this id, with its status at this moment.
pub fn one(conn: &mut Conn, id: Uuid) -> Result<Option<SystemSummary>, DbError> {
    let found = diesel::sql_query(format!("SELECT {COLUMNS} FROM {FROM} WHERE s.id = $1"));
    Ok(found.bind::<SqlUuid, _>(id).get_result(conn).optional()?)
}

/// Returns the systems that `text` may mean, of all organizations or of one. At most one is returned if it is an id or a key,
/// all with this name otherwise. `ORG/NAME` is a name in that organization (or a key).
///
/// An id wins over a key, and a key over a name: what a script has written down does not change its meaning when somebody
/// gives a new system a name.
pub fn find(conn: &mut Conn, org: Option<&OrgId>, text: &str) -> Result<Vec<SystemSummary>, DbError> {
    // No system has the nil id.
    let id = text.parse::<Uuid>().unwrap_or_default();
    let (of_org, rest) = text.split_once('/').unzip();
    // Each part of the union has an index.
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE s.id IN (\
             SELECT id FROM systems WHERE id = $1 UNION SELECT id FROM systems WHERE system_key IN ($2, $4) \
             UNION SELECT id FROM systems WHERE name = $2 UNION SELECT id FROM systems WHERE name = $4\
         ) AND (s.id = $1 OR s.system_key = $2 OR s.name = $2 OR s.org_id = $3) AND ($5 IS NULL OR s.org_id = $5) \
         ORDER BY s.org_id, s.name, s.system_key"
    );
    let mut found: Vec<SystemSummary> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(text)
        .bind::<Nullable<Text>, _>(of_org)
        .bind::<Nullable<Text>, _>(rest)
        .bind::<Nullable<Text>, _>(org.map(OrgId::as_str))
        .load(conn)?;
    let best = found.iter().map(|system| rank(system, id, text)).min();
    found.retain(|system| Some(rank(system, id, text)) == best);
    Ok(found)
}

/// Returns how strongly `text` means the system: the smallest number is the strongest.
fn rank(system: &SystemSummary, id: Uuid, text: &str) -> u8 {
    if system.id == id {
        0
    } else if system.system_key == text {
        1
    } else if text.split_once('/') == Some((&system.org_id, &system.system_key)) {
        2
    } else {
        3
    }
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    word: String,
}

/// Returns names and keys that may be meant by a mistyped `text`: about as long, and with the same beginning or end. There are
/// `limit` at most.
pub fn similar_names(
    conn: &mut Conn,
    org: Option<&OrgId>,
    text: &str,
    limit: u32,
) -> Result<Vec<String>, DbError> {
    let words: Vec<Named> = diesel::sql_query(
        "SELECT DISTINCT word FROM systems s CROSS JOIN LATERAL (VALUES (s.name), (s.system_key)) AS known (word) \
         WHERE ($1 IS NULL OR s.org_id = $1) AND abs(char_length(word) - char_length($2)) <= 1 + char_length($2) / 3 \
             AND (left(lower(word), 2) = left(lower($2), 2) OR right(lower(word), 2) = right(lower($2), 2)) LIMIT $3",
    )
    .bind::<Nullable<Text>, _>(org.map(OrgId::as_str))
    .bind::<Text, _>(text)
    .bind::<BigInt, _>(i64::from(limit))
    .load(conn)?;
    Ok(words.into_iter().map(|named| named.word).collect())
}

/// Returns the keys of the organization's other systems with this name: one of them, and how many there are.
pub fn others_with_name(
    conn: &mut Conn,
    org: &OrgId,
    name: &str,
    id: Uuid,
) -> Result<Option<(String, u64)>, DbError> {
    #[derive(QueryableByName)]
    struct Others {
        #[diesel(sql_type = Nullable<Text>)]
        key: Option<String>,
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let others: Others = diesel::sql_query(
        "SELECT min(system_key) AS key, count(*) AS count FROM systems WHERE org_id = $1 AND name = $2 AND id <> $3",
    )
    .bind::<Text, _>(org.as_str())
    .bind::<Text, _>(name)
    .bind::<SqlUuid, _>(id)
    .get_result(conn)?;
    Ok(others.key.map(|key| (key, others.count.unsigned_abs())))
}

/// Returns the contact period of the organization in seconds; `None`: it has none.
pub fn contact_period_of_org(conn: &mut Conn, org: &str) -> Result<Option<i64>, DbError> {
    #[derive(QueryableByName)]
    struct Contact {
        #[diesel(sql_type = Nullable<BigInt>)]
        seconds: Option<i64>,
    }
    let of_org = diesel::sql_query(
        "SELECT extract(epoch FROM contact_period)::bigint AS seconds FROM organizations WHERE id = $1",
    );
    let found: Option<Contact> = of_org.bind::<Text, _>(org).get_result(conn).optional()?;
    Ok(found.and_then(|found| found.seconds))
}

//! Organizations with their totals and the statuses of their systems, one or a page of them, in one statement.

use std::collections::HashMap;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Jsonb, Nullable, Text};
use serde_json::Value;

use super::super::{Conn, DbError, from_bigint};
use super::from_column;
use crate::domain::ids::OrgId;
use crate::domain::organization::{NewOrg, Parent, Quota};
use crate::domain::status::SystemStatus;

/// Which organizations are listed.
#[derive(Debug, Clone, Default)]
pub struct OrgFilter {
    /// Only this organization and those below it.
    pub tree: Option<OrgId>,
    pub id: Option<OrgId>,
    /// Only those directly below this one.
    pub parent: Option<OrgId>,
    /// A part of the id or the name, in any letter case.
    pub text: Option<String>,
}

/// An organization, what it uses, and the statuses of its systems at the time of the query.
#[derive(Debug, Clone)]
pub struct OrgSummary {
    pub id: String,
    pub name: String,
    pub parent_id: Option<String>,
    /// Its own quota.
    pub quota: Quota,
    /// The quota that applies, in bytes; `None`: unlimited.
    pub quota_in_force: Option<u64>,
    pub stored_bytes: u64,
    pub reserved_bytes: u64,
    /// Its own periods in seconds; `None`: that of the service, and no contact period.
    pub backup_period_seconds: Option<u64>,
    pub contact_period_seconds: Option<u64>,
    /// The backup period of its systems that have none of their own, in seconds.
    pub backup_period_in_force: u64,
    by_status: HashMap<String, u64>,
}

impl OrgSummary {
    /// Returns how many of its systems have this status.
    pub fn systems_with(&self, status: SystemStatus) -> u64 {
        self.by_status.get(status.as_str()).copied().unwrap_or_default()
    }

    /// Whether it is this organization as it was added: without a quota of its own it may have got that of its author's.
    pub fn is(&self, new: &NewOrg) -> bool {
        let quota = if new.quota == Quota::Default { self.quota } else { new.quota };
        let parent = match &new.parent {
            Parent::Top => None,
            Parent::Below(parent) => Some(parent.as_str()),
        };
        (self.id.as_str(), self.name.as_str(), self.parent_id.as_deref(), self.quota)
            == (new.id.as_str(), new.name.as_str(), parent, quota)
    }

    /// Leaves out what is above a tree: the parent of the organization at its top. `None`: the tree of all.
    pub fn within(mut self, tree: Option<&OrgId>) -> Self {
        self.parent_id = self.parent_id.filter(|_| tree.is_none_or(|top| top.as_str() != self.id));
        self
    }

    /// Returns the number of its systems.
    pub fn systems(&self) -> u64 {
        self.by_status.values().sum()
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    parent_id: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    quota_bytes: Option<i64>,
    #[diesel(sql_type = BigInt)]
    default_quota_bytes: i64,
    #[diesel(sql_type = BigInt)]
    stored_bytes: i64,
    #[diesel(sql_type = BigInt)]
    reserved_bytes: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    backup_period: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    contact_period: Option<i64>,
    #[diesel(sql_type = BigInt)]
    default_backup_period: i64,
    #[diesel(sql_type = Jsonb)]
    by_status: Value,
}

/// Returns the organizations with an id after `after`, at most `limit` of them, in the order of their ids.
pub fn list(
    conn: &mut Conn,
    filter: &OrgFilter,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<OrgSummary>, DbError> {
    let (from, is_seen) = match (&filter.tree, &filter.id) {
        (None, _) => ("organizations o", "$1 IS NULL"),
        (Some(_), Some(_)) => ("organizations o", "$1 = ANY (org_and_above(o.id))"),
        // A tree is read from its top: it may be a small part of all organizations.
        (Some(_), None) => {
            ("org_and_below($1) AS seen (id) JOIN organizations o ON o.id = seen.id", "$1 IS NOT NULL")
        }
    };
    let sql = format!(
        "WITH page AS MATERIALIZED ( \
             SELECT o.* FROM {from} \
             WHERE {is_seen} AND ($2 IS NULL OR o.id = $2) AND ($3 IS NULL OR o.parent_id = $3) \
                 AND ($4 IS NULL OR strpos(lower(o.id), lower($4)) > 0 OR strpos(lower(o.name), lower($4)) > 0) \
                 AND ($5 IS NULL OR o.id > $5) \
             ORDER BY o.id LIMIT $6 \
         ) \
         SELECT page.id, page.name, page.parent_id, page.quota_bytes, u.stored_bytes, u.reserved_bytes, \
             d.org_quota_bytes AS default_quota_bytes, \
             extract(epoch FROM page.backup_period)::bigint AS backup_period, \
             extract(epoch FROM page.contact_period)::bigint AS contact_period, \
             extract(epoch FROM d.backup_period)::bigint AS default_backup_period, \
             coalesce(by_org.by_status, '{{}}') AS by_status \
         FROM page JOIN org_usage u ON u.org_id = page.id CROSS JOIN service_defaults d \
             CROSS JOIN LATERAL ( \
                 SELECT jsonb_object_agg(status, systems) AS by_status FROM ( \
                     SELECT now.status, count(*) AS systems \
                     FROM systems s CROSS JOIN LATERAL system_status(s, statement_timestamp()) AS now \
                     WHERE s.org_id = page.id GROUP BY now.status \
                 ) AS counts \
             ) AS by_org \
         ORDER BY page.id"
    );
    let rows: Vec<Row> = diesel::sql_query(sql)
        .into_boxed::<Pg>()
        .bind::<Nullable<Text>, _>(filter.tree.as_ref().map(OrgId::as_str))
        .bind::<Nullable<Text>, _>(filter.id.as_ref().map(OrgId::as_str))
        .bind::<Nullable<Text>, _>(filter.parent.as_ref().map(OrgId::as_str))
        .bind::<Nullable<Text>, _>(filter.text.as_deref())
        .bind::<Nullable<Text>, _>(after)
        .bind::<BigInt, _>(limit)
        .load(conn)?;
    Ok(rows.into_iter().map(OrgSummary::from).collect())
}

/// Returns all organizations, in the order of their ids.
pub fn all(conn: &mut Conn) -> Result<Vec<OrgSummary>, DbError> {
    list(conn, &OrgFilter::default(), None, i64::MAX)
}

/// Returns the organization with this id; with `tree`, only if it is that one or below it.
pub fn find(conn: &mut Conn, tree: Option<&OrgId>, id: &OrgId) -> Result<Option<OrgSummary>, DbError> {
    let filter = OrgFilter { tree: tree.cloned(), id: Some(id.clone()), ..OrgFilter::default() };
    Ok(list(conn, &filter, None, 1)?.into_iter().next())
}

impl From<Row> for OrgSummary {
    fn from(row: Row) -> Self {
        let quota = from_column(row.quota_bytes);
        let default = Some(from_bigint(row.default_quota_bytes)).filter(|bytes| *bytes > 0);
        Self {
            id: row.id,
            name: row.name,
            parent_id: row.parent_id,
            quota,
            quota_in_force: quota.effective(default),
            stored_bytes: from_bigint(row.stored_bytes),
            reserved_bytes: from_bigint(row.reserved_bytes),
            backup_period_seconds: row.backup_period.map(from_bigint),
            contact_period_seconds: row.contact_period.map(from_bigint),
            backup_period_in_force: from_bigint(row.backup_period.unwrap_or(row.default_backup_period)),
            by_status: serde_json::from_value(row.by_status).unwrap_or_default(),
        }
    }
}

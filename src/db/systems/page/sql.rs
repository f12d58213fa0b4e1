//! The SQL of a page. Each form reads rows in proportion to the page, with an index in the order of the list where there is one:
//!
//! * All systems, or those of one organization, are read in the order of an index, from the position on.
//! * Systems of several organizations in another order: all of them are read and sorted.
//! * Systems of several organizations by id: each organization's next ids, of the organizations that have the smallest next ids.
//! * Systems with a status that few systems have: `standing` and `protected_until` are indexed. They narrow down where to look;
//!   the status itself is that of `system_status`.
//!
//! The parameters: `$1` limit, `$2` id, `$3` name, `$4` time, `$5` organizations, `$6` statuses, `$7` text, `$8` organization
//! and `$9` key of the position.

use super::super::summary::{COLUMNS, FROM};
use super::{Position, Sort, SortKey, SystemFilter};
use crate::domain::caller::VisibleOrgs;
use crate::domain::status::SystemStatus;

pub(super) fn of(filter: &SystemFilter, sort: Sort, after: Option<&Position>) -> String {
    let places = places(filter);
    let is_tree = matches!(&filter.orgs, VisibleOrgs::Of(ids) if ids.len() > 1);
    if is_tree && places == [None] {
        match sort.key {
            SortKey::Id => return of_several_organizations(filter, sort, after),
            SortKey::Name | SortKey::ProtectedUntil => return sorted(filter, sort, after),
            // The index of organizations has this order.
            SortKey::OrgAndName => {}
        }
    }
    let segments = segments(sort, after);
    let branches: Vec<String> = places
        .iter()
        .flat_map(|place| segments.iter().map(move |segment| (place, segment)))
        .map(|(place, segment)| {
            let conditions = [segment.clone(), place.map(str::to_owned), of_orgs(filter)];
            branch(conditions.into_iter().flatten().chain(of_each(filter)), &order(sort, "s."))
        })
        .collect();
    match branches.as_slice() {
        [one] => one.clone(),
        several => {
            let all = several.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" UNION ALL ");
            format!("SELECT * FROM ({all}) AS found ORDER BY {} LIMIT $1", order(sort, ""))
        }
    }
}

fn branch(conditions: impl IntoIterator<Item = String>, order: &str) -> String {
    format!("SELECT {COLUMNS} FROM {FROM}{} ORDER BY {order} LIMIT $1", condition(conditions))
}

fn condition(all: impl IntoIterator<Item = String>) -> String {
    let all: Vec<String> = all.into_iter().collect();
    if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
}

/// Systems of several organizations, by id. The `$1` organizations with the first next ids have all systems of the page, and
/// none of these systems comes after the last of these ids.
fn of_several_organizations(filter: &SystemFilter, sort: Sort, after: Option<&Position>) -> String {
    let (comparison, direction, end) =
        if sort.descending { (">=", " DESC", LOWEST) } else { ("<=", "", HIGHEST) };
    let of_one = |org: &str, until: Option<String>| {
        let from = after.map(|_| segment_by_id(sort));
        condition(
            [Some(format!("s.org_id = {org}")), from, until].into_iter().flatten().chain(of_each(filter)),
        )
    };
    let first = of_one("org.id", None);
    let until = format!(
        "s.id {comparison} coalesce((SELECT next FROM orgs ORDER BY next{direction} OFFSET $1 - 1 LIMIT 1), '{end}')"
    );
    let rest = of_one("orgs.id", Some(until));
    format!(
        "WITH orgs AS MATERIALIZED (\
             SELECT org.id, system.id AS next FROM unnest($5) AS org (id) CROSS JOIN LATERAL (\
                 SELECT s.id FROM {FROM}{first} ORDER BY s.id{direction} LIMIT 1\
             ) AS system ORDER BY system.id{direction} LIMIT $1\
         ) \
         SELECT found.* FROM orgs CROSS JOIN LATERAL (\
             SELECT {COLUMNS} FROM {FROM}{rest} ORDER BY s.id{direction} LIMIT $1\
         ) AS found ORDER BY found.id{direction} LIMIT $1"
    )
}

/// Systems of several organizations, in an order that no index of an organization has: all of them are read, and sorted. The
/// status is worked out for those of the page alone, unless it is asked for.
fn sorted(filter: &SystemFilter, sort: Sort, after: Option<&Position>) -> String {
    let behind: Vec<String> = segments(sort, after).into_iter().flatten().collect();
    let behind = (!behind.is_empty()).then(|| format!("({})", behind.join(" OR ")));
    let of_one = condition(
        [Some("s.org_id = org.id".to_owned()), behind].into_iter().flatten().chain(of_each(filter)),
    );
    let from = if filter.statuses.is_empty() { "systems s" } else { FROM };
    format!(
        "WITH page AS MATERIALIZED (\
             SELECT found.id FROM unnest($5) AS org (id) CROSS JOIN LATERAL (\
                 SELECT s.id, s.name, s.protected_until FROM {from}{of_one} OFFSET 0\
             ) AS found ORDER BY {} LIMIT $1\
         ) \
         SELECT {COLUMNS} FROM {FROM} WHERE s.id IN (SELECT id FROM page) ORDER BY {}",
        order(sort, "found."),
        order(sort, "s.")
    )
}

const LOWEST: &str = "00000000-0000-0000-0000-000000000000";
const HIGHEST: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// Returns the conditions for the organizations.
fn of_orgs(filter: &SystemFilter) -> Option<String> {
    match &filter.orgs {
        VisibleOrgs::All => None,
        VisibleOrgs::Of(ids) if ids.len() == 1 => Some("s.org_id = ($5)[1]".to_owned()),
        VisibleOrgs::Of(_) => Some("s.org_id = ANY ($5)".to_owned()),
    }
}

/// Returns the conditions that each system is checked for.
fn of_each(filter: &SystemFilter) -> Vec<String> {
    let mut all = Vec::new();
    if !filter.statuses.is_empty() {
        // Postgres would take the comparison for a rare one, and read and sort all systems. It takes a `CASE` for half of them.
        all.push("CASE WHEN now.status = ANY ($6) THEN true END".to_owned());
    }
    if filter.text.is_some() {
        all.push(
            "(strpos(lower(s.name), lower($7)) > 0 OR strpos(lower(s.system_key), lower($7)) > 0)".to_owned(),
        );
    }
    all
}

/// Returns where systems with these statuses are: a condition for an index each; `None`: anywhere. A system is in one place at
/// most.
fn places(filter: &SystemFilter) -> Vec<Option<&'static str>> {
    use SystemStatus::{Damaged, Fresh, Late, Never, Refused, Silent, Suspended};
    let wants = |status| filter.statuses.contains(&status);
    if filter.statuses.is_empty() || wants(Fresh) {
        return vec![None];
    }
    let (late, silent) = (wants(Late), wants(Silent));
    // For a minute an upload that broke off is no refusal yet: the system still has its status from before.
    let refused = wants(Refused) || wants(Never) || late || silent;
    let stored = match (late, silent) {
        (false, false) => None,
        (true, false) => Some("s.standing = 'stored' AND s.protected_until < statement_timestamp()"),
        (false, true) => Some("s.standing = 'stored' AND s.contact_period_in_force IS NOT NULL"),
        (true, true) => Some(
            "s.standing = 'stored' AND (s.protected_until < statement_timestamp() OR s.contact_period_in_force IS NOT NULL)",
        ),
    };
    [
        wants(Suspended).then_some("s.standing = 'suspended'"),
        wants(Damaged).then_some("s.standing = 'damaged'"),
        refused.then_some("s.standing = 'refused'"),
        wants(Never).then_some("s.standing = 'never'"),
        stored,
    ]
    .into_iter()
    .flatten()
    .map(Some)
    .collect()
}

fn order(sort: Sort, of: &str) -> String {
    let direction = if sort.descending { " DESC" } else { "" };
    let columns: &[&str] = match sort.key {
        SortKey::Id => &["id"],
        SortKey::Name => &["name", "id"],
        SortKey::ProtectedUntil => &["protected_until", "id"],
        SortKey::OrgAndName => &["org_id", "name", "system_key"],
    };
    columns.iter().map(|column| format!("{of}{column}{direction}")).collect::<Vec<_>>().join(", ")
}

fn segment_by_id(sort: Sort) -> String {
    format!("s.id {} $2", if sort.descending { "<" } else { ">" })
}

/// Returns the parts of the list behind the position, in its order, as conditions; `None`: all of it. Null is the last value of
/// `protected_until`, and a comparison of rows never finds it.
fn segments(sort: Sort, after: Option<&Position>) -> Vec<Option<String>> {
    let comparison = if sort.descending { "<" } else { ">" };
    let Some(after) = after else { return vec![None] };
    match after {
        Position::Id(_) => vec![Some(segment_by_id(sort))],
        Position::Name(..) => vec![Some(format!("(s.name, s.id) {comparison} ($3, $2)"))],
        Position::OrgAndName { .. } => {
            vec![Some(format!("(s.org_id, s.name, s.system_key) {comparison} ($8, $3, $9)"))]
        }
        Position::ProtectedUntil(Some(_), _) => {
            let behind = format!("(s.protected_until, s.id) {comparison} ($4, $2)");
            if sort.descending {
                vec![Some(behind)]
            } else {
                vec![Some(behind), Some("s.protected_until IS NULL".to_owned())]
            }
        }
        Position::ProtectedUntil(None, _) => {
            let behind = format!("s.protected_until IS NULL AND {}", segment_by_id(sort));
            if sort.descending {
                vec![Some(behind), Some("s.protected_until IS NOT NULL".to_owned())]
            } else {
                vec![Some(behind)]
            }
        }
    }
}

use super::*;

fn filter(orgs: &[&str], statuses: &[SystemStatus]) -> SystemFilter {
    let orgs = match orgs {
        [] => VisibleOrgs::All,
        ids => VisibleOrgs::Of(ids.iter().map(|id| (*id).to_owned()).collect()),
    };
    SystemFilter { orgs, statuses: statuses.to_vec(), text: None }
}

#[test]
fn rare_statuses_are_looked_up_where_an_index_has_them() {
    use SystemStatus::{Fresh, Late, Refused, Suspended};
    let by_id = Sort { key: SortKey::Id, descending: false };
    let sql = |statuses| sql::of(&filter(&[], statuses), by_id, None);
    assert!(!sql(&[]).contains("standing"));
    assert!(!sql(&[Fresh, Refused]).contains("standing"), "most systems are fresh");
    assert!(sql(&[Refused]).contains("s.standing = 'refused'") && !sql(&[Refused]).contains("UNION"));
    assert_eq!(sql(&[Suspended, Refused]).matches("UNION ALL").count(), 1);
    // An upload that broke off within the last minute may hide behind `refused`.
    let late = sql(&[Late]);
    assert!(
        late.contains("s.protected_until < statement_timestamp()") && late.contains("s.standing = 'refused'")
    );
}

#[test]
fn list_by_time_ends_or_begins_with_the_systems_that_have_none() {
    let sort = |descending| Sort { key: SortKey::ProtectedUntil, descending };
    let at = |time| Position::ProtectedUntil(time, Uuid::nil());
    let now = Some(DateTime::UNIX_EPOCH);
    let sql = |descending, after: &Position| sql::of(&filter(&[], &[]), sort(descending), Some(after));
    assert!(sql(false, &at(now)).contains("IS NULL"), "those without a time follow");
    assert!(!sql(false, &at(None)).contains("IS NOT NULL"));
    assert!(sql(true, &at(None)).contains("IS NOT NULL"), "those with a time follow");
    assert!(!sql(true, &at(now)).contains("NULL"));
}

#[test]
fn position_of_another_order_is_not_used() {
    assert_ne!(Position::Id(Uuid::nil()).key(), SortKey::Name);
}

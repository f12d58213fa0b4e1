//! "did you mean ...?" for a name that was mistyped.

use super::exit::Failure;
use crate::db::{Conn, DbError, organizations};
use crate::domain::ids::OrgId;

/// Fails if there is no such organization, and suggests the one that may be meant.
pub fn require_organization(conn: &mut Conn, org: &OrgId) -> Result<(), Failure> {
    if organizations::exists(conn, org)? {
        return Ok(());
    }
    Err(unknown_organization(conn, org)?)
}

/// Returns the failure of a command whose organization does not exist.
pub fn unknown_organization(conn: &mut Conn, org: &OrgId) -> Result<Failure, DbError> {
    let known = organizations::ids(conn)?;
    let near = did_you_mean(org.as_str(), known.iter().map(String::as_str));
    Ok(Failure::Refused(format!("there is no organization {org}{near} `strongroom org list` shows all")))
}

/// Returns the candidate that is most like the text, if one is so similar that it may be meant.
fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    // One wrong character in three: `fw-1` for `fw-01`, and not any short name for any other.
    let most = (text.chars().count() / 3).max(1);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&text, &candidate.to_lowercase());
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    near.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// Returns `: did you mean X?`, or `:` if no candidate may be meant. A hint has to follow.
pub fn did_you_mean<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(text, candidates).map_or_else(|| ":".to_owned(), |near| format!(": did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_mistyped_name_finds_the_nearest_and_another_word_finds_none() {
        let known = ["acme", "globex", "fw-01", "fw-02", "Main office"];
        for (text, expected) in [
            ("acmee", Some("acme")),
            ("ACME", Some("acme")),
            ("amce", Some("acme")),
            ("fw-1", Some("fw-01")),
            ("main ofice", Some("Main office")),
            ("nobody", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, known), expected, "{text:?}");
        }
        assert_eq!(nearest("acme", []), None);
    }
}

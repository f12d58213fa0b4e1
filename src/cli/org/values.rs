//! The values of options: quotas, periods, parents.

use crate::domain::duration;
use crate::domain::ids::OrgId;
use crate::domain::organization::{MAX_QUOTA, Parent, Period, Quota};
use crate::domain::size;

pub fn parse_quota(text: &str) -> Result<Quota, String> {
    match text {
        "default" => Ok(Quota::Default),
        "none" => Ok(Quota::Unlimited),
        _ => match size::parse(text) {
            Ok(bytes) if (1..=MAX_QUOTA).contains(&bytes) => Ok(Quota::Bytes(bytes)),
            Ok(0) => Err("0 bytes would refuse every upload; for no quota write `none`".to_owned()),
            Ok(_) => Err("it is more than any store has; for no quota write `none`".to_owned()),
            Err(error) => Err(format!("{error}; or `none` or `default`")),
        },
    }
}

/// `none` is an id, too: an organization that is called so can only be moved to the top of the tree, not below itself.
pub fn parse_parent(text: &str) -> Result<Parent, String> {
    match text {
        "none" => Ok(Parent::Top),
        _ => OrgId::parse(text).map(Parent::Below).map_err(|error| format!("{error}, or `none`")),
    }
}

pub fn parse_backup_period(text: &str) -> Result<Period, String> {
    parse_period(text, "default")
}

pub fn parse_contact_period(text: &str) -> Result<Period, String> {
    parse_period(text, "none")
}

fn parse_period(text: &str, inherited: &str) -> Result<Period, String> {
    if text == inherited {
        return Ok(Period::Inherited);
    }
    let length = duration::parse(text).map_err(|error| format!("{error}; or `{inherited}`"))?;
    Period::of(length).ok_or_else(|| "1s to ten years".to_owned())
}

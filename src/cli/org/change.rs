//! Commands that add or change an organization.

use super::find_and_show;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::suggest::unknown_organization;
use crate::db::organizations::{self, OrgRefusal};
use crate::domain::author::Author;
use crate::domain::ids::OrgId;
use crate::domain::organization::{NewOrg, OrgChange, Parent};

pub fn add(context: &mut Context, new: &NewOrg) -> Result<(), Failure> {
    match organizations::add(&mut context.conn, new, &Author::Operator)? {
        Ok(()) => find_and_show(context, &new.id),
        Err(refusal) => Err(refused(context, &new.id, &new.parent, refusal)?),
    }
}

/// Changes an organization, and shows it.
pub fn change(context: &mut Context, id: &OrgId, change: &OrgChange) -> Result<(), Failure> {
    match organizations::change(&mut context.conn, id, change, &Author::Operator)? {
        Ok(()) => find_and_show(context, id),
        Err(refusal) => Err(refused(context, id, change.parent.as_ref().unwrap_or(&Parent::Top), refusal)?),
    }
}

fn refused(
    context: &mut Context,
    id: &OrgId,
    parent: &Parent,
    refusal: OrgRefusal,
) -> Result<Failure, Failure> {
    let parent = match parent {
        Parent::Top => id,
        Parent::Below(parent) => parent,
    };
    Ok(match refusal {
        OrgRefusal::NotFound => unknown_organization(&mut context.conn, id)?,
        OrgRefusal::ParentNotFound => unknown_organization(&mut context.conn, parent)?,
        OrgRefusal::Exists => Failure::Refused(format!("organization {id} exists already")),
        OrgRefusal::Misplaced(why) => Failure::Refused(format!(
            "{id} below {parent}: {why}; `strongroom org list --tree` shows the tree"
        )),
        OrgRefusal::NotPermitted => Failure::Refused("only an administrator may do this".to_owned()),
    })
}

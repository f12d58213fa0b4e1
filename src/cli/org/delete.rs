//! `strongroom org delete`: deletes an organization that has no systems.

use serde::Serialize;

use crate::cli::confirm;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::suggest::unknown_organization;
use crate::db::organizations::{self, OrgDeletion, OrgSystems};
use crate::domain::ids::OrgId;

#[derive(Serialize)]
struct Deleted {
    id: OrgId,
    name: String,
}

pub fn run(context: &mut Context, id: &OrgId, yes: bool) -> Result<(), Failure> {
    confirm::require(yes, "deleting an organization")?;
    let name = super::find(context, id)?.name;
    let children = organizations::count_children(&mut context.conn, id)?;
    if children > 0 {
        return Err(has_children(id, children));
    }
    let systems = organizations::count_systems(&mut context.conn, id)?;
    if systems.all > 0 {
        return Err(has_systems(id, systems));
    }
    let question = format!(
        "This deletes organization {id} ({name:?}, which has no systems) for good. Type its id or \"yes\" to go on:"
    );
    confirm::ask(yes, &question, &[id.as_str()])?;
    match organizations::delete(&mut context.conn, id)? {
        OrgDeletion::Done => {}
        OrgDeletion::NotFound => return Err(unknown_organization(&mut context.conn, id)?),
        OrgDeletion::HasSystems(systems) => return Err(has_systems(id, systems)),
        OrgDeletion::HasChildren(count) => return Err(has_children(id, count)),
    }
    let deleted = Deleted { id: id.clone(), name };
    context.output.print(&deleted, |deleted| format!("deleted organization {}", deleted.id))
}

fn has_children(id: &OrgId, count: i64) -> Failure {
    let children = if count == 1 { "1 organization".to_owned() } else { format!("{count} organizations") };
    Failure::Refused(format!(
        "organization {id} has {children} below it: `strongroom org list --tree` shows them; move them first \
         (`strongroom org set-parent`); nothing was changed"
    ))
}

fn has_systems(id: &OrgId, OrgSystems { all, destroying }: OrgSystems) -> Failure {
    let systems = if all == 1 { "1 system".to_owned() } else { format!("{all} systems") };
    let hint = match destroying {
        0 => "destroy them first".to_owned(),
        some if some == all => {
            "being destroyed: the service drops their rows within an hour or two, try again then".to_owned()
        }
        some => format!("destroy them first ({some} are being destroyed)"),
    };
    Failure::Refused(format!(
        "organization {id} has {systems}: `strongroom system list --org {id}` shows them; {hint}; nothing was changed"
    ))
}

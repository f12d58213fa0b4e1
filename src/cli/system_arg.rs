//! The argument SYSTEM: one system, by its key, its id or its name.

use super::context::Context;
use super::exit::Failure;
use super::output::table;
use super::suggest::{did_you_mean, require_organization};
use crate::db::backups;
use crate::db::systems::{self, SystemSummary};
use crate::domain::ids::{BackupReference, OrgId};

/// How many of the systems with the same name an error lists.
const LISTED: usize = 20;
/// How many names and keys are compared with one that was mistyped.
const COMPARED: u32 = 10_000;

#[derive(clap::Args)]
pub struct SystemArg {
    /// Key, id or name of the system; ORG/NAME for a name that systems of several organizations have
    #[arg(value_name = "SYSTEM")]
    text: String,
    /// Organization of the system, if others have one with the same name
    #[arg(long, value_name = "ORG", value_parser = OrgId::parse)]
    org: Option<OrgId>,
}

impl SystemArg {
    /// Returns the system that is meant. Fails if there is none, or if several have this name.
    pub fn find(&self, context: &mut Context) -> Result<SystemSummary, Failure> {
        let mut found = systems::find(&mut context.conn, self.org.as_ref(), &self.text)?;
        match found.len() {
            0 => Err(self.unknown(context)?),
            1 => Ok(found.remove(0)),
            _ => Err(self.ambiguous(&found)),
        }
    }

    /// Whether the text is the system's key or id, and not its name, which another system may have tomorrow.
    pub fn is_key_or_id_of(&self, system: &SystemSummary) -> bool {
        self.text == system.system_key
            || self.text.parse() == Ok(system.id)
            || self.text.split_once('/') == Some((&system.org_id, &system.system_key))
    }

    fn unknown(&self, context: &mut Context) -> Result<Failure, Failure> {
        let text = &self.text;
        if let Some(org) = &self.org {
            require_organization(&mut context.conn, org)?;
        }
        if let Ok(reference) = BackupReference::parse(text)
            && let Some(backup) = backups::find_by_uuid(&mut context.conn, reference.uuid())?
        {
            let of = systems::find(&mut context.conn, None, &backup.system_id.to_string())?;
            let key = of.first().map_or_else(|| backup.system_id.to_string(), |s| s.system_key.clone());
            return Ok(Failure::Refused(format!(
                "{text} is the id of a backup of system {key}, and this command takes a SYSTEM"
            )));
        }
        let known = systems::similar_names(&mut context.conn, self.org.as_ref(), text, COMPARED)?;
        let near = did_you_mean(text, known.iter().map(String::as_str));
        Ok(Failure::Refused(match &self.org {
            Some(org) => format!(
                "no system {text:?} in organization {org}{near} `strongroom system list --org {org}` shows its systems"
            ),
            None => {
                format!("no system {text:?}{near} `strongroom system list` shows keys and names")
            }
        }))
    }

    fn ambiguous(&self, found: &[SystemSummary]) -> Failure {
        let several_orgs = found.iter().any(|system| system.org_id != found[0].org_id);
        let how = if several_orgs { "its key, or its organization with --org" } else { "its key" };
        let row = |system: &SystemSummary| {
            [system.org_id.clone(), system.system_key.clone(), system.id.to_string(), system.name.clone()]
        };
        let rows = table(["ORG", "KEY", "ID", "NAME"], found.iter().take(LISTED).map(row));
        let rows = rows.replace('\n', "\n  ");
        let more = match found.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!("\n  and {more} more: `strongroom system list`"),
        };
        Failure::Refused(format!(
            "{} systems have the name {:?}: choose one by {how}\n  {rows}{more}",
            found.len(),
            self.text
        ))
    }
}

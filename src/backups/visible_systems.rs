//! Systems and their backups for portals: only those that the caller may see.

use std::net::IpAddr;

use uuid::Uuid;

use super::{Backup, READ_TIMEOUT, ReadError, Reader, Vault};
use crate::db::backup_lists::BackupList;
use crate::db::systems::{self, SystemBrief};
use crate::db::{DbError, Lane};
use crate::domain::caller::Caller;
use crate::domain::filename::Filename;
use crate::domain::ids::{BackupId, OrgId};

/// A system that the caller may see. Only [`Vault::find_visible_system`] makes one.
#[derive(Debug, Clone)]
pub struct VisibleSystem {
    id: Uuid,
    org: OrgId,
    name: String,
    sub: String,
}

impl VisibleSystem {
    pub fn id(&self) -> Uuid {
        self.id
    }

    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// The subject of the caller's token, for the history.
    pub fn sub(&self) -> &str {
        &self.sub
    }

    /// Returns the caller as the reader of a backup.
    pub fn reader(&self, remote_addr: Option<IpAddr>) -> Reader {
        Reader::Caller { sub: self.sub.clone(), remote_addr }
    }

    /// Returns the file name of a download of the backup.
    pub fn download_filename(&self, backup: &Backup) -> Filename {
        Filename::for_download(&self.name, backup.uploaded_at.date_naive(), &backup.filename)
    }
}

impl Vault {
    /// Returns the system with this id, if the caller may see it.
    ///
    /// # Errors
    /// [`ReadError::NoSystem`], whether `id` is not an id, or the system is unknown, another organization's, or being
    /// destroyed.
    pub async fn find_visible_system(&self, caller: &Caller, id: &str) -> Result<VisibleSystem, ReadError> {
        let id = parse_id(id).ok_or(ReadError::NoSystem)?;
        let query = move |conn: &mut _| systems::brief(conn, id);
        let found = self.db.run(Lane::General, READ_TIMEOUT, query).await?;
        let SystemBrief { org_id, name, .. } =
            found.filter(|system| caller.sees_any_of(&system.path)).ok_or(ReadError::NoSystem)?;
        let org = OrgId::parse(&org_id)
            .map_err(|_| DbError::Failed(format!("system {id} has no valid organization")))?;
        Ok(VisibleSystem { id, org, name, sub: caller.sub().to_owned() })
    }

    /// Returns the system's stored backups, newest first.
    pub async fn list_visible_backups(&self, system: &VisibleSystem) -> Result<BackupList, ReadError> {
        self.list_stored(system.id).await
    }

    /// Returns the system's stored backup with this id.
    ///
    /// # Errors
    /// [`ReadError::NotFound`], also if `id` is not an id; [`ReadError::Damaged`] as for an appliance.
    pub async fn find_visible_backup(&self, system: &VisibleSystem, id: &str) -> Result<Backup, ReadError> {
        let id = BackupId::parse(id).map_err(|_| ReadError::NotFound)?;
        self.find_backup(system.id, id).await
    }
}

/// Parses a system's id: only the hyphenated form, in either letter case.
fn parse_id(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::parse_id;

    #[test]
    fn a_system_id_is_a_hyphenated_uuid() {
        let id = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab";
        assert!(parse_id(id).is_some() && parse_id(&id.to_uppercase()).is_some());
        for text in
            ["", "fw-01", "018f3a5c7b1e7c3d9a2b0123456789ab", "urn:uuid:018f3a5c-7b1e-7c3d-9a2b-0123456789ab"]
        {
            assert_eq!(parse_id(text), None, "{text}");
        }
    }
}

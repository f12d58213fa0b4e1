//! Organizations, for those who manage them: a caller sees the organization of its token and all below it.

use super::{Fleet, FleetError, Organization, TIMEOUT};
use crate::db::Lane;
use crate::db::organizations::{self, OrgFilter, OrgRefusal};
use crate::domain::author::Author;
use crate::domain::caller::Caller;
use crate::domain::ids::OrgId;
use crate::domain::organization::{NewOrg, OrgChange};

/// Which organizations a caller wants to see.
#[derive(Debug, Clone)]
pub struct OrgQuery {
    /// Only those directly below this one.
    pub parent: Option<OrgId>,
    /// A part of the id or the name, in any letter case.
    pub text: Option<String>,
    /// Only those with an id after this one.
    pub after: Option<OrgId>,
    /// At least 1.
    pub limit: usize,
}

/// Organizations in the order of their ids.
#[derive(Debug)]
pub struct OrgPage {
    pub organizations: Vec<Organization>,
    /// Whether there are more after the last one.
    pub more: bool,
}

impl Fleet {
    /// Returns the organizations that the caller may see.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`] if the caller may not see the parent.
    pub async fn list_organizations(&self, caller: &Caller, query: OrgQuery) -> Result<OrgPage, FleetError> {
        let (caller, tree) = (caller.clone(), caller.tree().cloned());
        // One more than the page has shows whether there are more.
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1);
        let OrgQuery { parent, text, after, .. } = query;
        let filter = OrgFilter {
            // Whoever sees the parent sees all below it.
            tree: if parent.is_some() { None } else { caller.tree().cloned() },
            id: None,
            parent,
            text,
        };
        let list = move |conn: &mut _| {
            if let Some(parent) = &filter.parent
                && !organizations::is_visible(conn, &caller, parent)?
            {
                return Ok(None);
            }
            organizations::list(conn, &filter, after.as_ref().map(OrgId::as_str), limit).map(Some)
        };
        let found = self.db.run(Lane::Fleet, TIMEOUT, list).await?;
        let mut organizations = found.ok_or(FleetError::NoOrganization)?;
        let more = organizations.len() > query.limit;
        organizations.truncate(query.limit);
        let organizations = organizations.into_iter().map(|org| org.within(tree.as_ref())).collect();
        Ok(OrgPage { organizations, more })
    }

    /// Returns the organization with this id.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`], whether `id` is not an id, or the organization is unknown, or the caller may not see it.
    pub async fn find_organization(&self, caller: &Caller, id: &str) -> Result<Organization, FleetError> {
        let id = OrgId::parse(id).map_err(|_| FleetError::NoOrganization)?;
        let tree = caller.tree().cloned();
        let of_tree = tree.clone();
        let find = move |conn: &mut _| organizations::find(conn, of_tree.as_ref(), &id);
        let found = self.db.run(Lane::Fleet, TIMEOUT, find).await?.ok_or(FleetError::NoOrganization)?;
        Ok(found.within(tree.as_ref()))
    }

    /// Adds an organization, and returns it.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`] if the author does not see the parent, [`FleetError::OrganizationExists`],
    /// [`FleetError::Misplaced`], [`FleetError::NotPermitted`].
    pub async fn add_organization(&self, author: Author, new: NewOrg) -> Result<Organization, FleetError> {
        let mut attempted_before = false;
        let add = move |conn: &mut _| {
            let is_retry = std::mem::replace(&mut attempted_before, true);
            let find = |conn| organizations::find(conn, author.tree(), &new.id);
            match organizations::add(conn, &new, &author)? {
                Ok(()) => Ok(find(conn)?.ok_or(OrgRefusal::NotFound)),
                // An earlier attempt was committed, and its result was lost; or it is somebody else's.
                Err(OrgRefusal::Exists) if is_retry => {
                    Ok(find(conn)?.filter(|org| org.is(&new)).ok_or(OrgRefusal::Exists))
                }
                Err(refusal) => Ok(Err(refusal)),
            }
        };
        Ok(self.db.run(Lane::Fleet, TIMEOUT, add).await??)
    }

    /// Changes an organization, and returns it: all of the changes are made, or none.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`] if the author does not see the organization or its new parent, [`FleetError::Misplaced`],
    /// [`FleetError::NotPermitted`].
    pub async fn change_organization(
        &self,
        author: Author,
        id: &str,
        change: OrgChange,
    ) -> Result<Organization, FleetError> {
        let id = OrgId::parse(id).map_err(|_| FleetError::NoOrganization)?;
        let tree = author.tree().cloned();
        // A repetition after a COMMIT of unknown outcome changes nothing.
        let change = move |conn: &mut _| match organizations::change(conn, &id, &change, &author)? {
            Ok(()) => Ok(organizations::find(conn, None, &id)?.ok_or(OrgRefusal::NotFound)),
            Err(refusal) => Ok(Err(refusal)),
        };
        let changed: Organization = self.db.run(Lane::Fleet, TIMEOUT, change).await??;
        Ok(changed.within(tree.as_ref()))
    }
}

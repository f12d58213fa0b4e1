//! Who makes a change of a system or an organization.

use std::net::IpAddr;

use super::caller::{Caller, Scope};
use super::ids::OrgId;

/// Who makes a change: the author decides what may be changed, and the history names it.
#[derive(Debug, Clone)]
pub enum Author {
    /// Somebody at the command line, who may change everything.
    Operator,
    Caller {
        caller: Caller,
        remote_addr: Option<IpAddr>,
    },
}

impl Author {
    /// Returns the name for the history: `operator`, or the subject of the token.
    pub fn name(&self) -> &str {
        match self {
            Self::Operator => "operator",
            Self::Caller { caller, .. } => caller.sub(),
        }
    }

    pub fn remote_addr(&self) -> Option<IpAddr> {
        match self {
            Self::Operator => None,
            Self::Caller { remote_addr, .. } => *remote_addr,
        }
    }

    /// Whether the author may see what belongs to an organization, of which `path` is the id and the ids of all organizations
    /// above it.
    pub fn sees_any_of<T: AsRef<str>>(&self, path: &[T]) -> bool {
        match self {
            Self::Operator => true,
            Self::Caller { caller, .. } => caller.sees_any_of(path),
        }
    }

    /// Returns the organization at the top of the tree that the author may see; `None`: every organization.
    pub fn tree(&self) -> Option<&OrgId> {
        match self {
            Self::Operator => None,
            Self::Caller { caller, .. } => caller.tree(),
        }
    }

    /// Whether the author may change every tree, and give an organization what it does not have.
    pub fn is_unrestricted(&self) -> bool {
        match self {
            Self::Operator => true,
            Self::Caller { caller, .. } => caller.may(Scope::Admin),
        }
    }

    /// Whether this is the organization of the author's token.
    pub fn is_of(&self, org: &OrgId) -> bool {
        match self {
            Self::Operator => false,
            Self::Caller { caller, .. } => caller.is_of(org),
        }
    }
}

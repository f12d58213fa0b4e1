//! The callers of the management API, and what they may do.

use std::collections::HashSet;

use super::ids::OrgId;

/// A scope: a route requires it, and a token grants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `backup:view`: lists, metadata and downloads.
    View,
    /// `backup:create`: backup requests.
    Create,
    /// `backup:delete`: deletions.
    Delete,
    /// `system:manage`: changes of systems.
    ManageSystems,
    /// `org:manage`: changes of organizations.
    ManageOrgs,
    /// `backup:admin`: access to every organization. The route's own scope is required as well.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 6] =
        [Self::View, Self::Create, Self::Delete, Self::ManageSystems, Self::ManageOrgs, Self::Admin];

    /// Returns the scope's name in a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "backup:view",
            Self::Create => "backup:create",
            Self::Delete => "backup:delete",
            Self::ManageSystems => "system:manage",
            Self::ManageOrgs => "org:manage",
            Self::Admin => "backup:admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// The organizations that a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VisibleOrgs {
    All,
    /// Only those with these ids.
    Of(Vec<String>),
}

impl VisibleOrgs {
    /// Whether all of these are visible.
    pub fn has_all_of(&self, others: &Self) -> bool {
        match (self, others) {
            (Self::All, _) => true,
            (Self::Of(_), Self::All) => false,
            (Self::Of(ids), Self::Of(others)) => {
                let ids: HashSet<&str> = ids.iter().map(String::as_str).collect();
                others.iter().all(|id| ids.contains(id.as_str()))
            }
        }
    }
}

/// Those who have no token, as the history calls them.
const ACTORS: [&str; 5] = ["system", "operator", "service", "client", "link"];

/// A portal or a program, identified by its verified token. Only `auth::bearer` makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    sub: String,
    org: Option<OrgId>,
    scopes: Vec<Scope>,
}

impl Caller {
    /// Makes a caller. `None` if it has neither an organization nor the scope `backup:admin`: such a caller could see nothing.
    pub fn new(sub: String, org: Option<OrgId>, scopes: Vec<Scope>) -> Option<Self> {
        let sees_any = org.is_some() || scopes.contains(&Scope::Admin);
        // Nobody passes for somebody else in the history.
        let sub = if ACTORS.contains(&&*sub) { format!("token:{sub}") } else { sub };
        sees_any.then_some(Self { sub, org, scopes })
    }

    /// The token's subject, for the history.
    pub fn sub(&self) -> &str {
        &self.sub
    }

    pub fn org(&self) -> Option<&OrgId> {
        self.org.as_ref()
    }

    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Returns the organization at the top of the tree that the caller may see; `None`: every organization.
    pub fn tree(&self) -> Option<&OrgId> {
        if self.may(Scope::Admin) { None } else { self.org.as_ref() }
    }

    /// Whether the caller may see what belongs to an organization, of which `path` is the id and the ids of all
    /// organizations above it. Everything else does not exist for the caller.
    pub fn sees_any_of<T: AsRef<str>>(&self, path: &[T]) -> bool {
        self.tree().is_none_or(|top| path.iter().any(|id| id.as_ref() == top.as_str()))
    }

    /// Whether this is the organization of the caller's token.
    pub fn is_of(&self, org: &OrgId) -> bool {
        self.org.as_ref() == Some(org)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(org: Option<&str>, scopes: &[Scope]) -> Option<Caller> {
        Caller::new("me".to_owned(), org.map(|org| OrgId::parse(org).unwrap()), scopes.to_vec())
    }

    #[test]
    fn a_caller_sees_its_organization_and_all_below_and_an_admin_every_one() {
        let scopes = [Scope::View, Scope::Create, Scope::Delete, Scope::ManageSystems, Scope::ManageOrgs];
        let cases: &[(Option<&str>, &[Scope], [bool; 4])] = &[
            (Some("acme"), &[], [true, true, false, false]),
            (Some("acme"), &scopes, [true, true, false, false]),
            (Some("north"), &scopes, [false, true, false, false]),
            (Some("branch"), &scopes, [false, false, false, false]),
            (Some("ACME"), &[Scope::View], [false, false, false, false]),
            (Some("acme"), &[Scope::Admin], [true, true, true, true]),
            (None, &[Scope::Admin], [true, true, true, true]),
        ];
        let paths: [&[&str]; 4] = [&["acme"], &["branch-7", "north", "acme"], &["globex"], &[]];
        for (org, scopes, expected) in cases {
            let caller = caller(*org, scopes).unwrap();
            assert_eq!(paths.map(|path| caller.sees_any_of(path)), *expected, "{org:?} {scopes:?}");
        }
    }

    #[test]
    fn without_an_organization_only_an_admin_is_a_caller() {
        assert_eq!(caller(None, &[Scope::View]), None);
        assert_eq!(caller(None, &[]), None);
    }

    #[test]
    fn an_admin_needs_the_routes_scope_as_well() {
        let admin = caller(None, &[Scope::Admin]).unwrap();
        for scope in Scope::ALL {
            assert_eq!(admin.may(scope), scope == Scope::Admin, "{scope:?}");
        }
    }

    #[test]
    fn a_subject_is_nobody_else_in_the_history() {
        for (sub, recorded) in [
            ("jane", "jane"),
            ("operator", "token:operator"),
            ("system", "token:system"),
            ("operators", "operators"),
            ("Operator", "Operator"),
        ] {
            let caller = Caller::new(sub.to_owned(), None, vec![Scope::Admin]).unwrap();
            assert_eq!(caller.sub(), recorded);
        }
    }

    #[test]
    fn scopes_have_exact_names() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
        for text in
            ["", "backup", "backup:", "backup:*", "BACKUP:VIEW", "backup:view ", "org:admin", "system:"]
        {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }
}

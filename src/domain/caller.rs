//! The callers of the management API, and what they may do.

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
    /// `backup:admin`: access to every organization. The route's own scope is required as well.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::View, Self::Create, Self::Delete, Self::Admin];

    /// Returns the scope's name in a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "backup:view",
            Self::Create => "backup:create",
            Self::Delete => "backup:delete",
            Self::Admin => "backup:admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

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

    /// Whether the caller may see what belongs to this organization. Everything else does not exist for the caller.
    pub fn sees(&self, org: &str) -> bool {
        self.may(Scope::Admin) || self.org.as_ref().is_some_and(|own| own.as_str() == org)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(org: Option<&str>, scopes: &[Scope]) -> Option<Caller> {
        Caller::new("me".to_owned(), org.map(|org| OrgId::parse(org).unwrap()), scopes.to_vec())
    }

    #[test]
    fn a_caller_sees_its_own_organization_and_an_admin_every_one() {
        let cases: &[(Option<&str>, &[Scope], bool, bool)] = &[
            (Some("acme"), &[], true, false),
            (Some("acme"), &[Scope::View, Scope::Create, Scope::Delete], true, false),
            (Some("ACME"), &[Scope::View], false, false),
            (Some("acme"), &[Scope::Admin], true, true),
            (None, &[Scope::Admin], true, true),
        ];
        for (org, scopes, own, other) in cases {
            let caller = caller(*org, scopes).unwrap();
            assert_eq!((caller.sees("acme"), caller.sees("other")), (*own, *other), "{org:?} {scopes:?}");
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
        assert!(admin.may(Scope::Admin) && !admin.may(Scope::View) && !admin.may(Scope::Delete));
    }

    #[test]
    fn scopes_have_exact_names() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
        for text in ["", "backup", "backup:", "backup:*", "BACKUP:VIEW", "backup:view "] {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }
}

//! Organizations: their quota, their periods, their parent, and who may change them.

use std::time::Duration;

use super::author::Author;
use super::caller::Caller;
use super::ids::OrgId;

/// An organization's own quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// The service's default applies.
    Default,
    Unlimited,
    /// At least 1.
    Bytes(u64),
}

/// More bytes than any store has.
pub const MAX_QUOTA: u64 = 1 << 60;

impl Quota {
    /// Returns the quota that applies, in bytes; `None`: unlimited.
    pub fn effective(self, default: Option<u64>) -> Option<u64> {
        match self {
            Self::Default => default,
            Self::Unlimited => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

/// A backup period or a contact period of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// That of the service applies.
    Inherited,
    /// In whole seconds, at least 1.
    Own(Duration),
}

/// The longest period: ten years.
pub const MAX_PERIOD: Duration = Duration::from_secs(3653 * 86_400);

impl Period {
    /// Returns a period of this length; `None` if it is 0 or longer than [`MAX_PERIOD`].
    pub fn of(length: Duration) -> Option<Self> {
        (Duration::from_secs(1)..=MAX_PERIOD).contains(&length).then_some(Self::Own(length))
    }

    /// Returns its seconds; `None`: inherited.
    pub fn seconds(self) -> Option<u64> {
        match self {
            Self::Inherited => None,
            Self::Own(length) => Some(length.as_secs()),
        }
    }
}

/// Where an organization is in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parent {
    /// No other organization is above it.
    Top,
    Below(OrgId),
}

/// A new organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrg {
    pub id: OrgId,
    /// For people.
    pub name: String,
    pub parent: Parent,
    pub quota: Quota,
    pub backup_period: Period,
    pub contact_period: Period,
}

impl NewOrg {
    /// Returns an organization at the top, with everything else inherited.
    pub fn new(id: OrgId, name: impl Into<String>) -> Self {
        let (backup_period, contact_period) = (Period::Inherited, Period::Inherited);
        Self {
            id,
            name: name.into(),
            parent: Parent::Top,
            quota: Quota::Default,
            backup_period,
            contact_period,
        }
    }
}

/// Returns where an organization is added if the caller does not say where: below the caller's own.
pub fn default_parent(caller: &Caller) -> Parent {
    caller.org().cloned().map_or(Parent::Top, Parent::Below)
}

/// What is changed of an organization. `None`: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrgChange {
    pub name: Option<String>,
    pub parent: Option<Parent>,
    pub quota: Option<Quota>,
    pub backup_period: Option<Period>,
    pub contact_period: Option<Period>,
}

/// Whether the author may add the organization. The author has to see the parent, too.
pub fn may_add(author: &Author, new: &NewOrg) -> bool {
    author.is_unrestricted() || new.parent != Parent::Top
}

/// The quota of the organization of a caller who is not unrestricted, and the service's default: what the caller may give others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnQuota {
    /// The quota in force in bytes; `None`: unlimited.
    pub in_force: Option<u64>,
    pub default: Option<u64>,
}

/// Whether the caller may give this quota to an organization below its own: not more than its own has.
pub fn may_give(own: OwnQuota, quota: Quota) -> bool {
    let Some(own_bytes) = own.in_force else { return true };
    quota.effective(own.default).is_some_and(|bytes| bytes <= own_bytes)
}

/// Returns the quota with which the caller adds an organization: without one of its own it has that of the caller's organization,
/// if the default is larger. `None`: the caller may not give it.
pub fn quota_to_add(own: OwnQuota, quota: Quota) -> Option<Quota> {
    match own.in_force {
        Some(bytes) if quota == Quota::Default && !may_give(own, quota) => Some(Quota::Bytes(bytes)),
        _ => may_give(own, quota).then_some(quota),
    }
}

/// Whether the author may make the change to an organization that the author sees. The author has to see the new parent, too.
///
/// Nobody moves an organization out of the tree that they see, nor the one at its top; and nobody gives their own organization
/// another quota than it was given.
pub fn may_change(author: &Author, org: &OrgId, change: &OrgChange) -> bool {
    let is_own = author.is_of(org);
    author.is_unrestricted()
        || !(change.parent == Some(Parent::Top)
            || is_own && (change.parent.is_some() || change.quota.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::caller::Scope;

    fn org(id: &str) -> OrgId {
        OrgId::parse(id).unwrap()
    }

    fn caller(own: Option<&str>, scopes: &[Scope]) -> Author {
        let caller = Caller::new("me".to_owned(), own.map(org), scopes.to_vec()).unwrap();
        Author::Caller { caller, remote_addr: None }
    }

    #[test]
    fn quota_and_place_of_the_own_organization_are_for_an_admin() {
        let name = OrgChange { name: Some("x".to_owned()), ..OrgChange::default() };
        let period = OrgChange { backup_period: Some(Period::Inherited), ..OrgChange::default() };
        let quota = |quota| OrgChange { quota: Some(quota), ..OrgChange::default() };
        let parent = |parent| OrgChange { parent: Some(parent), ..OrgChange::default() };
        let below = || parent(Parent::Below(org("other")));
        let cases = [
            (name, true, true),
            (period, true, true),
            (quota(Quota::Bytes(1)), false, true),
            (quota(Quota::Default), false, true),
            (quota(Quota::Unlimited), false, true),
            (below(), false, true),
            (parent(Parent::Top), false, false),
            (OrgChange::default(), true, true),
        ];
        let tenant = caller(Some("acme"), &[Scope::ManageOrgs]);
        for (change, own, other) in cases {
            assert_eq!(may_change(&tenant, &org("acme"), &change), own, "{change:?}");
            assert_eq!(may_change(&tenant, &org("north"), &change), other, "{change:?}");
            for admin in
                [Author::Operator, caller(Some("acme"), &[Scope::Admin]), caller(None, &[Scope::Admin])]
            {
                assert!(may_change(&admin, &org("acme"), &change), "{change:?}");
            }
        }
    }

    #[test]
    fn nobody_gives_more_than_they_have() {
        use Quota::{Bytes, Default, Unlimited};
        let limited = |in_force, default| OwnQuota { in_force: Some(in_force), default };
        let unlimited = OwnQuota { in_force: None, default: Some(100) };
        for (own, quota, may, added) in [
            (limited(50, Some(100)), Bytes(50), true, Some(Bytes(50))),
            (limited(50, Some(100)), Bytes(51), false, None),
            (limited(50, Some(100)), Unlimited, false, None),
            (limited(50, Some(100)), Default, false, Some(Bytes(50))),
            (limited(50, None), Default, false, Some(Bytes(50))),
            (limited(100, Some(100)), Default, true, Some(Default)),
            (limited(200, Some(100)), Default, true, Some(Default)),
            (unlimited, Unlimited, true, Some(Unlimited)),
            (unlimited, Bytes(1 << 40), true, Some(Bytes(1 << 40))),
            (unlimited, Default, true, Some(Default)),
        ] {
            assert_eq!((may_give(own, quota), quota_to_add(own, quota)), (may, added), "{own:?} {quota:?}");
        }
    }

    #[test]
    fn organization_at_the_top_is_added_by_an_admin() {
        let new = |parent| NewOrg { parent, ..NewOrg::new(org("new"), "New") };
        let tenant = caller(Some("acme"), &[Scope::ManageOrgs]);
        assert!(!may_add(&tenant, &new(Parent::Top)));
        assert!(may_add(&tenant, &new(Parent::Below(org("acme")))));
        assert!(may_add(&Author::Operator, &new(Parent::Top)));
        assert!(may_add(&caller(Some("acme"), &[Scope::Admin]), &new(Parent::Top)));
    }

    #[test]
    fn period_is_a_second_to_ten_years() {
        for (seconds, valid) in
            [(0, false), (1, true), (MAX_PERIOD.as_secs(), true), (MAX_PERIOD.as_secs() + 1, false)]
        {
            let period = Period::of(Duration::from_secs(seconds));
            assert_eq!(period.and_then(Period::seconds), valid.then_some(seconds), "{seconds}");
        }
    }
}

//! What organizations have used: per day for trends, per month for bills. The days were added up before; no backup is read.

use chrono::{Days, NaiveDate};

use super::{Fleet, FleetError, TIMEOUT};
use crate::db::usage_days::{self, UsageDay, UsageSpan, UsageTotals};
use crate::db::{Conn, DbError, Lane, event_list, from_bigint, objects, organizations};
use crate::domain::caller::{Caller, VisibleOrgs};
use crate::domain::ids::OrgId;
use crate::domain::usage::Month;

/// What an organization has used in a month.
#[derive(Debug)]
pub struct MonthlyUsage {
    pub org: OrgId,
    pub month: Month,
    /// How many of the month's days were added up.
    pub complete_days: u64,
    /// The organization alone.
    pub own: UsageTotals,
    /// The organization and all below it, as the tree is now.
    pub tree: UsageTotals,
}

impl Fleet {
    /// Returns the last `days` days that are over, oldest first: what the organizations that the caller may see have used
    /// together, or with `within` that organization and all below it.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`] if the caller may not see `within`.
    pub async fn trend(
        &self,
        caller: &Caller,
        within: Option<OrgId>,
        days: u32,
    ) -> Result<Vec<UsageDay>, FleetError> {
        let caller = caller.clone();
        let read = move |conn: &mut _| {
            let Some(orgs) = organizations::visible(conn, &caller, within.as_ref())? else { return Ok(None) };
            let (first, last) = last_days(conn, days)?;
            usage_days::trend(conn, first, last, ids(&orgs)).map(Some)
        };
        self.db.run(Lane::Fleet, TIMEOUT, read).await?.ok_or(FleetError::NoOrganization)
    }

    /// Returns what an organization has used in a month; `None`: in the present one.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`], whether `org` is not an id, or the organization is unknown, or the caller may not see it.
    pub async fn monthly_usage(
        &self,
        caller: &Caller,
        org: &str,
        month: Option<Month>,
    ) -> Result<MonthlyUsage, FleetError> {
        let org = OrgId::parse(org).map_err(|_| FleetError::NoOrganization)?;
        let caller = caller.clone();
        let read = move |conn: &mut _| {
            let orgs = match organizations::visible(conn, &caller, Some(&org))? {
                Some(orgs) => orgs,
                // One that was deleted, whose bill is still to be written: it belongs to no tree any more.
                None if caller.tree().is_none() && event_list::knows_org(conn, &org)? => {
                    VisibleOrgs::Of(vec![org.to_string()])
                }
                None => return Ok(None),
            };
            let month = match month {
                Some(month) => month,
                None => Month::of(objects::now(conn)?),
            };
            of_month(conn, &org, ids(&orgs), month).map(Some)
        };
        self.db.run(Lane::Fleet, TIMEOUT, read).await?.ok_or(FleetError::NoOrganization)
    }
}

/// Reads what an organization has used in a month. `tree`: the organization and all below it.
fn of_month(
    conn: &mut Conn,
    org: &OrgId,
    tree: Option<&[String]>,
    month: Month,
) -> Result<MonthlyUsage, DbError> {
    let span = |orgs| UsageSpan { first: month.first(), last: month.last(), orgs };
    let own = [org.to_string()];
    Ok(MonthlyUsage {
        org: org.clone(),
        month,
        complete_days: from_bigint(usage_days::complete_days(conn, month.first(), month.last())?),
        own: usage_days::totals_together(conn, span(Some(&own)))?,
        tree: usage_days::totals_together(conn, span(tree))?,
    })
}

/// Returns the first and the last one of the last days that are over.
fn last_days(conn: &mut Conn, days: u32) -> Result<(NaiveDate, NaiveDate), DbError> {
    let last = usage_days::newest_complete(objects::now(conn)?);
    Ok((last - Days::new(u64::from(days.saturating_sub(1))), last))
}

fn ids(orgs: &VisibleOrgs) -> Option<&[String]> {
    match orgs {
        VisibleOrgs::All => None,
        VisibleOrgs::Of(ids) => Some(ids),
    }
}

//! `strongroom token ...`.

use std::time::{Duration, SystemTime};

use chrono::DateTime;
use clap::Subcommand;
use serde::Serialize;

use super::exit::{ExitCode, Failure};
use super::output::{Output, time};
use crate::config::TokenConfig;
use crate::domain::ids::OrgId;
use crate::tokens::{IssueError, NewToken, issue};

#[derive(Subcommand)]
pub enum Token {
    /// Print a token that is signed with JWT_HS256_SECRET, for development
    ///
    /// It needs JWT_HS256_SECRET, JWT_ISSUER and JWT_AUDIENCE, and no database. In production an identity provider
    /// issues the tokens.
    Issue {
        /// The organization that its bearer belongs to
        #[arg(long, value_parser = OrgId::parse)]
        org: OrgId,
        /// What it permits, separated by spaces: backup:view, backup:create, backup:delete, backup:admin
        #[arg(long)]
        scope: String,
        /// Who bears it; events name it
        #[arg(long)]
        sub: String,
        /// How long it is valid, such as 15m or 8h
        #[arg(long, default_value = "1h", value_parser = parse_ttl)]
        ttl: Duration,
    },
}

#[derive(Serialize)]
struct Issued {
    token: String,
    expires_at: String,
}

/// Longer ones are no tokens for development any more.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

fn parse_ttl(text: &str) -> Result<Duration, String> {
    let ttl = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_secs(1)..=LONGEST).contains(&ttl) { Ok(ttl) } else { Err("1s to a year".to_owned()) }
}

impl Token {
    pub fn run(self, json: bool) -> Result<ExitCode, Failure> {
        let Self::Issue { org, scope, sub, ttl } = self;
        let missing = || {
            let line = "JWT_HS256_SECRET: it is required, with JWT_ISSUER and JWT_AUDIENCE, to issue a token";
            Failure::Usage(line.to_owned())
        };
        let config = TokenConfig::from_env()?.ok_or_else(missing)?;
        let secret = config.hs256.as_ref().ok_or_else(missing)?;
        let new = NewToken {
            issuer: &config.issuer,
            audience: &config.audience,
            sub: &sub,
            org: &org,
            scope: &scope,
            valid_for: ttl,
        };
        let (token, expires) = issue(secret, &new, SystemTime::now()).map_err(|error| match error {
            IssueError::Sub => Failure::Usage(error.to_string()),
            IssueError::Sign(_) => Failure::Refused(error.to_string()),
        })?;
        let expires_at = i64::try_from(expires).ok().and_then(|at| DateTime::from_timestamp(at, 0));
        let issued = Issued { token, expires_at: expires_at.map(time).unwrap_or_default() };
        Output::new(json).print(&issued, |issued| issued.token.clone())?;
        Ok(ExitCode::SUCCESS)
    }
}

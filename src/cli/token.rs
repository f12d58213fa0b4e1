//! `strongroom token ...`.

use std::time::{Duration, SystemTime};

use chrono::DateTime;
use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::environment::assume_account;
use super::exit::{ExitCode, Failure};
use super::output::{Output, time};
use super::say::say;
use super::suggest::require_organization;
use crate::auth::bearer::{IssueError, NewToken, issue};
use crate::config::IssueConfig;
use crate::db::{Conn, Connector, DbError};
use crate::domain::caller::Scope;
use crate::domain::duration;
use crate::domain::ids::OrgId;

#[derive(Subcommand)]
pub enum Token {
    /// Print a token that is signed with JWT_HS256_SECRET, for development
    ///
    /// The command needs JWT_HS256_SECRET, JWT_ISSUER and JWT_AUDIENCE with the same values as the service. If DATABASE_URL is
    /// set, the command checks that the organization exists. In production an identity provider issues the tokens.
    #[command(after_help = "Examples:\n  \
        strongroom token issue --org acme --scope 'backup:view backup:create' --sub me --ttl 8h\n  \
        strongroom token issue --scope 'backup:admin backup:view' --sub me")]
    Issue {
        /// Organization that the token is for; required, except with backup:admin
        #[arg(long, value_name = "ORG", value_parser = OrgId::parse)]
        org: Option<OrgId>,
        /// Scopes (required), in quotes and separated by spaces: backup:view, backup:create, backup:delete,
        /// system:manage, org:manage, backup:admin
        #[arg(long, value_name = "SCOPES", value_parser = Scopes::parse)]
        scope: Option<Scopes>,
        /// Subject of the token: the person or program that uses it, recorded with each event
        #[arg(long, value_name = "WHO")]
        sub: String,
        /// How long the token is valid, such as 15m or 8h
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_ttl)]
        ttl: Duration,
    },
}

#[derive(Serialize)]
struct Issued {
    token: String,
    expires_at: String,
}

/// One or more known scopes.
#[derive(Debug, Clone)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    fn parse(text: &str) -> Result<Self, String> {
        let scopes = text.split_whitespace().map(|word| {
            Scope::parse(word)
                .ok_or_else(|| format!("there is no scope {word:?}: there are {}", known_scopes()))
        });
        let scopes: Vec<_> = scopes.collect::<Result<_, _>>()?;
        if scopes.is_empty() {
            Err(format!("it names no scope: there are {}", known_scopes()))
        } else {
            Ok(Self(scopes))
        }
    }

    fn has(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Returns the value of the token's claim `scope`.
    fn claim(&self) -> String {
        self.0.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
    }
}

fn known_scopes() -> String {
    Scope::ALL.map(Scope::as_str).join(", ")
}

/// The longest lifetime of a token for development.
const MAX_TTL: Duration = Duration::from_secs(366 * 86_400);

fn parse_ttl(text: &str) -> Result<Duration, String> {
    let ttl = duration::parse(text)?;
    if (Duration::from_secs(1)..=MAX_TTL).contains(&ttl) { Ok(ttl) } else { Err("1s to a year".to_owned()) }
}

impl Token {
    pub fn run(self, json: bool) -> Result<ExitCode, Failure> {
        let Self::Issue { org, scope, sub, ttl } = self;
        let scope = scope.ok_or_else(|| {
            Failure::Usage(format!("--scope: it is required: one or more of {}", known_scopes()))
        })?;
        let config = IssueConfig::from_env()?;
        assume_account()?;
        match &org {
            Some(org) => check_organization(&config, org)?,
            None if !scope.has(Scope::Admin) => {
                let line = "--org: it is required: only backup:admin is for every organization";
                return Err(Failure::Usage(line.to_owned()));
            }
            None => {}
        }
        if let Some(org) = org.as_ref().filter(|_| scope.has(Scope::Admin)) {
            say(&format!("backup:admin is for every organization, not only for {org}"));
        }
        let new = NewToken {
            issuer: &config.issuer,
            audience: &config.audience,
            sub: &sub,
            org: org.as_ref(),
            scope: &scope.claim(),
            valid_for: ttl,
        };
        let issued = issue(&config.secret, &new, SystemTime::now());
        let (token, expires) = issued.map_err(|error| match error {
            IssueError::Sub => Failure::Usage(error.to_string()),
            IssueError::Sign => Failure::Refused(error.to_string()),
        })?;
        let expires_at = i64::try_from(expires).ok().and_then(|at| DateTime::from_timestamp(at, 0));
        let issued = Issued { token, expires_at: expires_at.map(time).unwrap_or_default() };
        Output::new(json).print(&issued, |issued| issued.token.clone())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses an organization that does not exist. If that can't be checked, prints a line to stderr, and the token is issued:
/// tokens are often issued on a machine without the database.
fn check_organization(config: &IssueConfig, org: &OrgId) -> Result<(), Failure> {
    let checked = match &config.database_url {
        None => Err("DATABASE_URL is not set".to_owned()),
        Some(url) => connect(url).map_err(|error| error.to_string()),
    };
    let why = match checked.map(|mut conn| require_organization(&mut conn, org)) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failure @ Failure::Refused(_))) => return Err(failure),
        Ok(Err(Failure::Usage(why) | Failure::Unreachable(why))) | Err(why) => why,
    };
    say(&format!("not checked whether there is an organization {org}: {why}"));
    Ok(())
}

fn connect(database_url: &SecretString) -> Result<Conn, DbError> {
    let unreadable = || DbError::Setting("DATABASE_URL: libpq does not understand it".to_owned());
    let connector = Connector::new(database_url.expose_secret()).ok_or_else(unreadable)?;
    Ok(connector.connect()?.conn)
}

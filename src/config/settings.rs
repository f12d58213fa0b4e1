//! The table of settings: the only place where a setting's name, default, unit, meaning and check stand. The code reads
//! settings through these constants. `--help`, the README and the env file are made from them (`pages`).

pub mod database;
pub mod limits;
pub mod listeners;
pub mod log;
pub mod objects;
pub mod slow_clients;
pub mod tokens;
pub mod upkeep;

use super::setting::{Entry, Group, Kind};

/// In the order of the env file.
pub const GROUPS: &[Group] = &[
    database::GROUP,
    listeners::GROUP,
    tokens::GROUP,
    objects::GROUP,
    limits::GROUP,
    slow_clients::GROUP,
    upkeep::GROUP,
    log::GROUP,
];

pub fn all() -> impl Iterator<Item = &'static dyn Entry> {
    GROUPS.iter().flat_map(|group| group.settings).copied()
}

/// The kind of value that a variable has: of a setting, or of `NAME_FILE` for a secret. `None`: it is no setting.
pub fn kind_of(variable: &str) -> Option<Kind> {
    let about = all().map(Entry::about).find(|about| about.variables().any(|name| name == variable))?;
    Some(if about.name == variable { about.kind } else { Kind::Path })
}

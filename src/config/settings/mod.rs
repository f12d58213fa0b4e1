//! The table of settings: the only place that has a setting's name, default, unit, meaning and check. The code reads settings
//! through these constants. `--help`, the README and the env file are generated from them (`pages`).

pub mod database;
pub mod limits;
pub mod listeners;
pub mod log;
pub mod objects;
pub mod slow_clients;
pub mod tokens;
pub mod upkeep;

use super::setting::{Entry, Group, Kind};

/// All groups, in the order of the env file.
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

/// Returns the kind of a variable's value. The variable is a setting, or `NAME_FILE` for a secret. `None` for any other.
pub fn kind_of(variable: &str) -> Option<Kind> {
    let about = all().map(Entry::about).find(|about| about.variables().any(|name| name == variable))?;
    Some(if about.name == variable { about.kind } else { Kind::Path })
}

//! The status of a system: whether it is protected, and why not. The function `system_status` of the database works it out from
//! the system's row; nothing else does.

use super::row_state::row_state;

row_state! {
    /// The status of a system: the first that applies, in this order. Only [`Self::Fresh`] is protected.
    SystemStatus {
        /// It is not active.
        Suspended = "suspended",
        /// Its newest stored backup is damaged or missing.
        Damaged = "damaged",
        /// An upload that was sent after its newest stored backup was refused, or failed.
        Refused = "refused",
        /// Nothing is stored.
        Never = "never",
        /// It was not heard of for longer than its contact period.
        Silent = "silent",
        /// Within its backup period it has neither stored a backup nor reported an unchanged configuration.
        Late = "late",
        Fresh = "fresh",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_function_in_the_database() {
        let migration = include_str!("../../migrations/2026-11-27-000000_fleet/up.sql");
        let (_, function) = migration.split_once("CREATE FUNCTION system_status").unwrap();
        for status in SystemStatus::ALL {
            assert!(function.contains(&format!("'{status}'")), "{status}");
            assert_eq!(SystemStatus::parse(status.as_str()), Some(*status));
        }
    }
}

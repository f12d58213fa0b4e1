//! The states of rows. Each state has one word, which is used in the tables, in answers and in output for people.

/// Declares an enum of states with their words. `ALL` and the words come from one list, so neither can lack a state.
macro_rules! row_state {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $state:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $state,)+
        }

        impl $name {
            /// All states.
            pub const ALL: &[Self] = &[$(Self::$state),+];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$state => $word,)+
                }
            }

            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

pub(super) use row_state;

row_state! {
    /// The values of `systems.state`.
    SystemState {
        Active = "active",
        /// The system's credential is refused until an operator resumes the system.
        Suspended = "suspended",
        /// The system's credential is refused for good, and its backups are being deleted.
        Destroying = "destroying",
    }
}

impl SystemState {
    /// Whether the system's credential is accepted.
    pub fn is_active(self) -> bool {
        match self {
            Self::Active => true,
            Self::Suspended | Self::Destroying => false,
        }
    }
}

row_state! {
    /// The values of `backups.state`.
    BackupState {
        /// The upload is under way.
        Receiving = "receiving",
        /// The backup is complete. The API shows backups in this state only.
        Stored = "stored",
        /// The backup no longer counts in the totals. Its object has to be deleted, and then its row.
        Retired = "retired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backup_request::BackupRequestState;

    /// The words that the `CHECK` of `table` has for its states, in the migration that made the table.
    fn allowed_in(table: &str) -> Vec<&'static str> {
        let migration = include_str!("../../migrations/2026-11-21-000000_initial/up.sql");
        let (_, columns) = migration.split_once(&format!("CREATE TABLE {table} (")).unwrap();
        let (_, words) = columns.split_once("CHECK (state IN (").unwrap();
        let (words, _) = words.split_once(')').unwrap();
        words.split(", ").map(|word| word.trim_matches('\'')).collect()
    }

    macro_rules! assert_words {
        ($states:ident, $table:literal) => {
            let words: Vec<_> = $states::ALL.iter().map(|state| state.as_str()).collect();
            assert_eq!(words, allowed_in($table));
            for state in $states::ALL {
                assert_eq!($states::parse(state.as_str()), Some(*state));
                assert_eq!(state.to_string(), state.as_str());
                assert_eq!(serde_json::json!(state), state.as_str());
            }
            for other in ["", "paused", "Active", "STORED", " seen"] {
                assert_eq!($states::parse(other), None, "{other:?}");
            }
        };
    }

    #[test]
    fn the_words_are_those_of_the_tables_and_lead_back_to_their_states() {
        assert_words!(SystemState, "systems");
        assert_words!(BackupState, "backups");
        assert_words!(BackupRequestState, "backup_requests");
    }
}

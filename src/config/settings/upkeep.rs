use std::time::Duration;

use crate::config::check;
use crate::config::setting::{About, Default::Is, Group, Kind, Setting, settings};

settings! {
    "Upkeep";

    /// How long a process that does not renew its lease in the database counts as alive.
    ///
    /// Other processes abort its uploads when it has not renewed its lease for twice this time (with 120: four
    /// minutes, plus up to one BACKUP_SWEEP_INTERVAL). It has to be the same in every process.
    BACKUP_LEASE: Duration { Is("120"), Kind::Seconds, check::time_span }

    /// The time between two sweeps for what dead processes have left.
    BACKUP_SWEEP_INTERVAL: Duration { Is("60"), Kind::Seconds, check::time_span }

    /// How long the history is kept: events, and backup requests that have ended.
    ///
    /// A month is dropped as a whole, once all of its events are older than this. It has to be the same in every process.
    EVENTS_KEEP: Duration { Is("34560000"), Kind::Seconds, check::events_keep }

    /// How long uploads and downloads under way may take to finish after SIGTERM.
    ///
    /// TimeoutStopSec= of the unit (660) has to stay above it.
    SHUTDOWN_GRACE: Duration { Is("600"), Kind::Seconds, check::time_span }

    /// How long a pruned or deleted backup can be restored; only 0 in this version.
    ///
    /// With 0 its object is deleted at once.
    BACKUP_UNDELETE_WINDOW: Duration { Is("0"), Kind::Seconds, check::undelete_window }
}

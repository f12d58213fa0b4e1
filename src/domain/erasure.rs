//! The erasure of a system: how far it is.

use super::row_state::row_state;

row_state! {
    /// The values of `system_erasures.phase`.
    ErasurePhase {
        /// The backups are taken out of the accounting, and the uploads under way are aborted.
        Retiring = "retiring",
        /// The objects are deleted.
        Deleting = "deleting",
        /// Everything is erased. The tombstones of failed uploads keep the row of the system until they are over.
        Waiting = "waiting",
    }
}

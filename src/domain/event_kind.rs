//! The kinds of events in the history (`backup_events.kind`). `docs/operations.md` explains each of them.

use super::row_state::row_state;

row_state! {
    /// What has happened: the values of `backup_events.kind`.
    EventKind {
        /// An upload was stored.
        Uploaded = "uploaded",
        /// An admitted upload was not stored, and no rule has refused it.
        Failed = "failed",
        /// A stored backup alone is larger than all backups of a system together may be.
        OverSizeCap = "over_size_cap",
        /// Bytes of a backup were read, or a download link was made.
        Downloaded = "downloaded",
        /// A backup was deleted by its system, a portal or an operator.
        Deleted = "deleted",
        /// A backup was removed by retention.
        Pruned = "pruned",
        /// An upload was refused by a rule.
        Refused = "refused",
        /// An object without a row was deleted.
        OrphanDeleted = "orphan_deleted",
        /// A backup was requested.
        Requested = "requested",
        RequestCancelled = "request_cancelled",
        RequestExpired = "request_expired",
        OrgAdded = "org_added",
        OrgRenamed = "org_renamed",
        OrgDeleted = "org_deleted",
        /// An organization has got another parent, or none.
        OrgMoved = "org_moved",
        QuotaSet = "quota_set",
        /// The periods of an organization or of a system were set.
        PeriodSet = "period_set",
        SystemAdded = "system_added",
        SystemRenamed = "system_renamed",
        SecretRotated = "secret_rotated",
        Suspended = "suspended",
        Resumed = "resumed",
        /// A system is to be destroyed: it is marked, and its erasure begins.
        Destroyed = "destroyed",
        /// Nothing of a destroyed system is left.
        Erased = "erased",
        /// The credential of a system was refused: one event for each system and hour.
        CredentialRefused = "credential_refused",
    }
}

impl EventKind {
    /// Whether every upload may write such an event. The history has no index for these kinds, and one for all others.
    pub fn is_of_every_upload(self) -> bool {
        matches!(self, Self::Uploaded | Self::Pruned)
    }
}

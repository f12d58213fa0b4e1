//! The faults of a connection to Postgres that a link injects.

/// The fault that the link injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// New connections are refused, existing ones are closed.
    Refused,
    /// Every connection is reset, new ones at once.
    Reset,
    /// Connections are accepted and stay open, and no data is forwarded.
    BlackHole,
    /// As `BlackHole`, but the repair forwards the data.
    Frozen,
    /// No data is forwarded, and those connections stay silent also after the repair.
    PacketsLost,
    /// Postgres admits new connections. What follows on them is lost, and they stay silent also after the repair. Existing
    /// connections are reset.
    SetUpLost,
    /// The next COMMIT does not arrive.
    Commit(ConnectionEnd),
    /// The next COMMIT takes place, and its answer is lost.
    CommitAnswer(ConnectionEnd),
    /// The connection is lost while the next COMMIT takes place.
    CommitUnderWay,
}

impl LinkFault {
    pub fn is_of_a_commit(self) -> bool {
        matches!(self, Self::Commit(_) | Self::CommitAnswer(_) | Self::CommitUnderWay)
    }
}

/// How the connection of the COMMIT ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    Reset,
    Hangs,
}

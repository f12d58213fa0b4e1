//! The lanes: how the connections of the pool are divided among those who use them.

use std::time::Duration;

/// The part of the connections that a piece of work may use.
#[derive(Debug, Clone, Copy)]
pub enum Lane {
    /// Transactions of [`accounting`](super::accounting).
    Accounting,
    /// What a client waits for and is quickly done: credentials, lists, backup requests, health.
    General,
    /// What portals ask about the fleet. It may take long, so it must not use up the connections with which appliances are
    /// authenticated. Postgres ends its statements at their deadline.
    Fleet,
    /// Background tasks. A query whose packets are lost keeps its connection for long, and there are many tasks: they must
    /// not use up the connections of the general lane, without which nothing is answered.
    Tasks,
}

/// The number of lanes.
pub(super) const LANES: usize = 4;

/// The connections that the pool opens at most.
pub(super) const CONNECTIONS: u32 = {
    let (mut lane, mut sum) = (0, 0);
    while lane < LANES {
        sum += Lane::ALL[lane].connections();
        lane += 1;
    }
    sum
};

impl Lane {
    pub(super) const ALL: [Self; LANES] = [Self::Accounting, Self::General, Self::Fleet, Self::Tasks];

    /// Returns how many connections the lane may use at the same time.
    pub const fn connections(self) -> u32 {
        match self {
            Self::Accounting | Self::General => 8,
            Self::Fleet | Self::Tasks => 4,
        }
    }

    /// Returns the lane's name in the metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Accounting => "accounting",
            Self::General => "reads",
            Self::Fleet => "fleet",
            Self::Tasks => "tasks",
        }
    }

    /// Returns how long a caller waits, after its deadline, for a query that is under way. For a change of the accounting it
    /// waits until Postgres' own timeouts must have ended the transaction: until then the change may still take place.
    pub(super) fn wait_beyond_deadline(self) -> Duration {
        match self {
            Self::Accounting => Duration::from_secs(12),
            Self::General | Self::Fleet | Self::Tasks => Duration::from_secs(1),
        }
    }
}

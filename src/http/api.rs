//! The two APIs, each with a listener of its own.

use std::fmt;

/// Which API a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// For appliances, with Basic auth.
    Collect,
    /// For portals and automation, with bearer tokens.
    Management,
}

impl Api {
    /// The name in the log and in the metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Management => "management",
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

use std::time::Duration;

use crate::config::check;
use crate::config::setting::{About, Default::Is, Group, Kind, Setting, settings};

settings! {
    "What a backup, a system and an organization may use";

    /// The largest size of an upload. A larger one is answered with 413.
    BACKUP_MAX_UPLOAD_SIZE: u64 {
        Is("2147483648"), Kind::Bytes, |text| check::size(text, 1..=check::MAX_BYTES)
    }

    /// How many backups of a system are kept. When there are more, the oldest are pruned.
    BACKUP_MAX_PER_SYSTEM: usize { Is("10"), Kind::Count, |text| check::count(text, 1..=10_000) }

    /// The total size of the backups of a system. When it is exceeded, the oldest are pruned, never the newest.
    ///
    /// The newest backup stays even if it alone is larger.
    BACKUP_MAX_SIZE_PER_SYSTEM: u64 {
        Is("524288000"), Kind::Bytes, |text| check::size(text, 1..=check::MAX_BYTES)
    }

    /// The quota of an organization that has none of its own; 0: no quota.
    ///
    /// An upload that does not fit is answered with 413.
    BACKUP_MAX_SIZE_PER_ORG: u64 {
        Is("107374182400"), Kind::Bytes, |text| check::size(text, 0..=check::MAX_BYTES)
    }

    /// How old the newest backup of a system may become, or its report of an unchanged configuration, before its status is `late`.
    ///
    /// It is for the systems that have no period of their own and whose organization has none.
    BACKUP_PERIOD: Duration { Is("93600"), Kind::Seconds, check::time_span }

    /// How many uploads of a system are admitted in any 60 seconds (0 to 600; 0: no limit).
    ///
    /// One more is answered with 429 and Retry-After.
    BACKUP_RATE_LIMIT_PER_MINUTE: usize { Is("6"), Kind::Count, check::rate }

    /// How many uploads of a system are admitted in any 3600 seconds (0 to 600; 0: no limit).
    ///
    /// One more is answered with 429 and Retry-After.
    BACKUP_RATE_LIMIT_PER_HOUR: usize { Is("60"), Kind::Count, check::rate }
}

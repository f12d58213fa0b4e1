use std::time::Duration;

use crate::config::check;
use crate::config::setting::{About, Default::Is, Group, Kind, Setting, settings};

settings! {
    "Slow and dead clients";

    /// How long a client may send no byte of an upload, or take no byte of an answer.
    ///
    /// After that the upload is answered 408, or the connection of the answer is closed.
    BACKUP_BODY_IDLE_TIMEOUT: Duration { Is("60"), Kind::Seconds, check::time_span }

    /// The minimum rate, averaged over any minute, of uploads and of clients that take an answer; 0: off. For an
    /// upload 16 times that while other uploads of its organization find no room for what it has reserved.
    ///
    /// A slower upload is answered 408; the connection of a slower answer is closed.
    BACKUP_BODY_MIN_RATE: u64 {
        Is("1024"), Kind::BytesPerSecond, |text| check::number(text, 0..=check::MAX_BYTES)
    }
}

use std::time::Duration;

use crate::config::check;
use crate::config::setting::{About, Default::Is, Group, Kind, Setting, settings};

settings! {
    "Slow and dead clients";

    /// How long a client may pause: send no byte of an upload, or receive no byte of an answer.
    ///
    /// After that the upload is answered with 408, or the connection of the answer is closed.
    BACKUP_BODY_IDLE_TIMEOUT: Duration { Is("60"), Kind::Seconds, check::time_span }

    /// The minimum rate of uploads and of answers, averaged over any minute; 0: off. The rate for an upload is 16 times as
    /// high while other uploads of its organization are refused for the space that it has reserved.
    ///
    /// A slower upload is answered with 408; the connection of a slower answer is closed.
    BACKUP_BODY_MIN_RATE: u64 {
        Is("1024"), Kind::BytesPerSecond, |text| check::number(text, 0..=check::MAX_BYTES)
    }
}

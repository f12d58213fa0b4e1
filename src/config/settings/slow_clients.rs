use std::time::Duration;

use crate::config::check;
use crate::config::setting::{About, Default::Is, Group, Kind, Setting, settings};

settings! {
    "Slow and dead clients";

    /// How long a client may pause: send no byte of an upload, or receive no byte of an answer.
    ///
    /// After that the upload is answered with 408, or the connection of the answer is closed.
    BACKUP_BODY_IDLE_TIMEOUT: Duration { Is("60"), Kind::Seconds, check::time_span }

    /// The minimum rate of uploads and of answers, averaged over any minute; 0: off. If other uploads of the
    /// organization are refused because of the bytes that an upload has reserved, that upload has to be 16 times as fast.
    ///
    /// A slower upload is answered with 408; the connection of a slower answer is closed.
    BACKUP_BODY_MIN_RATE: u64 {
        Is("1024"), Kind::BytesPerSecond, |text| check::size(text, 0..=check::MAX_BYTES)
    }
}

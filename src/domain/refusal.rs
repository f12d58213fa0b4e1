//! Refusals: what a system's row says of uploads that were refused, or failed, after its newest stored backup was sent.
//!
//! Many appliances send a configuration once and do not look at the answer. So a refusal stands until a backup is stored that
//! was sent after it. The order is that in which the uploads were *sent* (admitted, or refused at the admission): it is the order
//! of the configurations that they contain. An upload that is stored later than a refusal, but was admitted before it, does not
//! end the refusal. And an upload that breaks off after the appliance has already sent another one is no refusal.

use chrono::{DateTime, Utc};

use super::failure_reason::FailureReason;
use super::row_state::row_state;

row_state! {
    /// Why an upload was refused, or failed: the values of `systems.refused_reason`.
    RefusalReason {
        /// The rate limit, or too many uploads under way.
        Rate = "rate",
        /// Larger than the largest upload allowed.
        Size = "size",
        /// The quota of the organization.
        Quota = "quota",
        /// The body does not have the digest that was sent with it.
        Digest = "digest",
        /// A policy of the organization.
        Policy = "policy",
        /// The client sent too slowly.
        Timeout = "timeout",
        /// The body ended early.
        Interrupted = "interrupted",
        /// The service, its database or its store was unavailable.
        Unavailable = "unavailable",
        /// The client has damaged the file.
        Damaged = "damaged",
        /// The request contradicts itself, or can't be understood.
        Malformed = "malformed",
        /// The body has no bytes.
        Empty = "empty",
        /// The system was suspended.
        Suspended = "suspended",
    }
}

impl RefusalReason {
    /// Returns the reason for the status of the system, which the failure leaves without a newer backup.
    pub fn of_failure(failure: FailureReason) -> Self {
        match failure {
            FailureReason::Interrupted => Self::Interrupted,
            FailureReason::Empty => Self::Empty,
            // It shows when the system is resumed: the appliance does not send this configuration again.
            FailureReason::Revoked => Self::Suspended,
            FailureReason::Store
            | FailureReason::Database
            | FailureReason::Aborted
            | FailureReason::ProcessDied => Self::Unavailable,
        }
    }
}

/// An upload that was refused, or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedAttempt {
    pub reason: RefusalReason,
    /// When it was sent: its admission, or its refusal instead of one.
    pub sent_at: DateTime<Utc>,
    /// When it was refused, or failed.
    pub refused_at: DateTime<Utc>,
}

/// The refusal that stands: the columns `systems.refused_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingRefusal {
    /// The last refused upload.
    pub last: RefusedAttempt,
    /// When the first one was refused.
    pub since: DateTime<Utc>,
}

/// Returns the refusal that stands after an upload was refused. `newest_stored`: when the newest stored backup was admitted.
pub fn after_refusal(
    standing: Option<StandingRefusal>,
    attempt: RefusedAttempt,
    newest_stored: Option<DateTime<Utc>>,
) -> Option<StandingRefusal> {
    if newest_stored.is_some_and(|admitted| admitted >= attempt.sent_at) {
        return standing;
    }
    let Some(StandingRefusal { last, since }) = standing else {
        return Some(StandingRefusal { last: attempt, since: attempt.refused_at });
    };
    let sent_at = last.sent_at.max(attempt.sent_at);
    // An upload that breaks off is usually sent again at once, and for a minute it does not count. It must not hide for that time
    // that another one was refused.
    let interrupted = RefusalReason::Interrupted;
    if attempt.sent_at < last.sent_at || (attempt.reason == interrupted && last.reason != interrupted) {
        return Some(StandingRefusal { last: RefusedAttempt { sent_at, ..last }, since });
    }
    Some(StandingRefusal { last: attempt, since })
}

/// Returns the refusal that stands after a backup was stored. `admitted`: when its upload was admitted.
pub fn after_backup(standing: Option<StandingRefusal>, admitted: DateTime<Utc>) -> Option<StandingRefusal> {
    standing.filter(|refusal| refusal.last.sent_at >= admitted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn attempt(reason: RefusalReason, sent: i64, refused: i64) -> RefusedAttempt {
        RefusedAttempt { reason, sent_at: at(sent), refused_at: at(refused) }
    }

    fn standing(reason: RefusalReason, sent: i64, refused: i64, since: i64) -> StandingRefusal {
        StandingRefusal { last: attempt(reason, sent, refused), since: at(since) }
    }

    #[test]
    fn a_refusal_stands_if_it_was_sent_after_the_newest_stored_backup() {
        use RefusalReason::{Interrupted, Quota, Rate};
        let cases = [
            ("the first", None, attempt(Rate, 5, 5), None, Some(standing(Rate, 5, 5, 5))),
            ("after a backup", None, attempt(Rate, 5, 5), Some(4), Some(standing(Rate, 5, 5, 5))),
            ("noted after a later backup", None, attempt(Rate, 5, 5), Some(6), None),
            (
                "failed late, another upload was sent after it",
                None,
                attempt(Interrupted, 5, 60),
                Some(6),
                None,
            ),
            (
                "another one",
                Some(standing(Rate, 5, 5, 5)),
                attempt(Quota, 9, 9),
                None,
                Some(standing(Quota, 9, 9, 5)),
            ),
            (
                "one that was sent before",
                Some(standing(Rate, 5, 5, 5)),
                attempt(Quota, 4, 9),
                None,
                Some(standing(Rate, 5, 5, 5)),
            ),
            (
                "one that broke off does not hide a refusal",
                Some(standing(Rate, 5, 5, 5)),
                attempt(Interrupted, 9, 12),
                None,
                Some(standing(Rate, 9, 5, 5)),
            ),
            (
                "one that broke off again",
                Some(standing(Interrupted, 5, 6, 6)),
                attempt(Interrupted, 9, 12),
                None,
                Some(standing(Interrupted, 9, 12, 6)),
            ),
            (
                "a refusal after one that broke off",
                Some(standing(Interrupted, 5, 6, 6)),
                attempt(Rate, 9, 9),
                None,
                Some(standing(Rate, 9, 9, 6)),
            ),
        ];
        for (name, before, attempt, newest_stored, expected) in cases {
            assert_eq!(after_refusal(before, attempt, newest_stored.map(at)), expected, "{name}");
        }
    }

    #[test]
    fn a_backup_ends_the_refusals_that_were_sent_before_its_admission() {
        let refusal = Some(standing(RefusalReason::Rate, 5, 5, 5));
        assert_eq!(after_backup(refusal, at(6)), None);
        assert_eq!(
            after_backup(refusal, at(4)),
            refusal,
            "it was admitted before the refusal, and stored after it"
        );
        assert_eq!(after_backup(None, at(4)), None);
    }

    proptest! {
        /// The order in which uploads end does not matter, only the order in which they were sent.
        #[test]
        fn a_refusal_stands_if_and_only_if_the_last_upload_sent_was_refused(
            ends in Just((0..6_i64).collect::<Vec<_>>()).prop_shuffle(),
            stored in proptest::collection::vec(any::<bool>(), 6),
        ) {
            let (mut refusal, mut newest) = (None, None);
            for (place, sent) in ends.iter().enumerate() {
                let stored = stored[usize::try_from(*sent).unwrap()];
                if stored {
                    refusal = after_backup(refusal, at(*sent));
                    // The newest backup is the last one that was stored.
                    newest = newest.max(Some(at(*sent)));
                } else {
                    let refused_at = 10 + i64::try_from(place).unwrap();
                    refusal = after_refusal(refusal, attempt(RefusalReason::Timeout, *sent, refused_at), newest);
                }
            }
            prop_assert_eq!(refusal.is_some(), !stored[5]);
        }
    }
}

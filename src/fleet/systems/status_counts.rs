//! The number of systems by status, for the metrics. It is worked out at a scrape, once for all that come within two seconds.
//!
//! The query runs in a task of its own. A scrape waits for it, unless the one before has failed: while the database is away,
//! `/metrics` is answered at once, without these numbers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};

use crate::db::systems::{self, StatusCount};
use crate::db::{Db, Lane};
use crate::domain::caller::VisibleOrgs;
use crate::domain::refusal::RefusalReason;
use crate::domain::status::SystemStatus;
use crate::fleet::Fleet;
use crate::telemetry::SystemNumbers;

/// How long numbers are shown.
const MAX_AGE: Duration = Duration::from_secs(2);
/// How long a scrape waits. Prometheus itself waits for ten seconds.
const WAIT: Duration = Duration::from_secs(2);
/// How long the query may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(8);

type StatusCounts = Arc<Vec<StatusCount>>;

impl Fleet {
    /// Returns the number of systems by status, at most two seconds old; `None` if the database does not tell it in time.
    pub async fn system_numbers(&self) -> Option<SystemNumbers> {
        let counts = self.status_counts.get(&self.db).await?;
        let sum = |matches: &dyn Fn(&StatusCount) -> bool| {
            counts.iter().filter(|count| matches(count)).map(|count| count.systems).sum()
        };
        let with = |status: SystemStatus| (status.as_str(), sum(&|count| count.status == status));
        let refused =
            |reason: RefusalReason| (reason.as_str(), sum(&|count| count.refused_reason == Some(reason)));
        Some(SystemNumbers {
            by_status: SystemStatus::ALL.iter().map(|status| with(*status)).collect(),
            refused_by_reason: RefusalReason::ALL.iter().map(|reason| refused(*reason)).collect(),
        })
    }
}

/// The result of a query that has ended: the numbers, or none.
type Counted = Option<StatusCounts>;

/// A query that is under way, or has ended.
#[derive(Clone)]
struct Run {
    began: Instant,
    result: watch::Receiver<Option<Counted>>,
}

/// The numbers of the last query.
#[derive(Default)]
pub struct StatusCountsCache(Mutex<Option<Run>>);

impl StatusCountsCache {
    /// Returns the number of systems by status and reason; `None` if the database does not tell in time.
    async fn get(&self, db: &Db) -> Option<StatusCounts> {
        let (mut run, failed_before) = self.run(db).await;
        let wait = if failed_before { Duration::ZERO } else { WAIT };
        let _ = timeout(wait, run.result.wait_for(Option::is_some)).await;
        let result = run.result.borrow().clone();
        result.flatten()
    }

    /// Returns the query whose numbers are fresh, or a new one; and whether the one before has failed.
    async fn run(&self, db: &Db) -> (Run, bool) {
        let mut last = self.0.lock().await;
        let mut failed = false;
        if let Some(run) = last.as_ref() {
            let result = run.result.borrow();
            failed = !matches!(*result, Some(Some(_)));
            let is_running = result.is_none() && run.result.has_changed().is_ok();
            if is_running || (!failed && run.began.elapsed() < MAX_AGE) {
                // A query that takes long has not failed yet.
                return (run.clone(), is_running && run.began.elapsed() > WAIT);
            }
        }
        let (sender, result) = watch::channel(None);
        let db = db.clone();
        tokio::spawn(async move {
            let count = |conn: &mut _| systems::count_by_status(conn, &VisibleOrgs::All);
            let counted = db.run(Lane::Tasks, QUERY_TIMEOUT, count).await;
            if let Err(error) = &counted {
                log::debug!("could not count the systems for the metrics: {error}");
            }
            let _ = sender.send(Some(counted.ok().map(Arc::new)));
        });
        let run = Run { began: Instant::now(), result };
        *last = Some(run.clone());
        (run, failed)
    }
}

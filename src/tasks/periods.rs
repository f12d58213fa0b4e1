//! Passes the changed periods of large organizations on to their systems, some at a time: the uploads of these systems wait
//! meanwhile. Several processes may do it at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::db_failure;
use super::supervisor::{Period, Supervisor, TaskDefinition};
use crate::db::{Db, Lane, periods};

/// A change takes effect this long after it was made, at most, and the time that it takes to write the systems.
const INTERVAL: Duration = Duration::from_secs(2);
const MAX_RUN: Duration = Duration::from_mins(10);
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for the uploads that have waited for a step.
const PAUSE: Duration = Duration::from_millis(50);

/// Starts to pass periods on. `ready`: whether the schema is prepared.
pub fn start(supervisor: &Supervisor, db: Db, ready: Arc<AtomicBool>) {
    let task = TaskDefinition::new("periods", Period::SinceEnd(INTERVAL)).max_run(MAX_RUN);
    supervisor.spawn(task, move || {
        let (db, ready) = (db.clone(), Arc::clone(&ready));
        async move {
            while ready.load(Ordering::Relaxed)
                && db.run(Lane::Tasks, QUERY_TIMEOUT, periods::pass_on_pending).await.map_err(db_failure)?
            {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        }
    });
}

//! Checks an organization's totals again and again while other work runs.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Server;

/// One sample: the figures of a single statement, so all are of the same moment.
#[derive(Clone, Copy, Debug)]
pub struct TotalsSample {
    pub reserved: i64,
}

impl Server {
    /// Runs `work`, and checks meanwhile that the totals equal the rows and never exceed the quota. Returns the
    /// result of `work`, and every sample.
    #[track_caller]
    pub fn with_totals_checked<T>(
        &self,
        org: &str,
        quota: i64,
        work: impl FnOnce() -> T,
    ) -> (T, Vec<TotalsSample>) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let mut looks = vec![self.sample_totals(org, quota)];
                while !over.load(Ordering::Relaxed) {
                    looks.push(self.sample_totals(org, quota));
                }
                looks
            });
            // Also set when `work` fails: otherwise the checks would never end.
            let end = SetOnDrop(&over);
            let done = work();
            drop(end);
            (done, looking.join().expect("the totals were always right"))
        })
    }

    fn sample_totals(&self, org: &str, quota: i64) -> TotalsSample {
        let row = self.db.one(&format!(
            "SELECT concat_ws(' ', stored_bytes, reserved_bytes,
                 (SELECT coalesce(sum(size_bytes), 0) FROM backups WHERE org_id = u.org_id AND state = 'stored'),
                 (SELECT coalesce(sum(reserved_bytes), 0) FROM backups WHERE org_id = u.org_id AND state = 'receiving'))
             FROM org_usage u WHERE org_id = '{org}'"
        ));
        let figures: Vec<i64> = row.split(' ').map(|figure| figure.parse().expect("a number")).collect();
        let [stored, reserved, of_backups, of_uploads] = figures[..] else { panic!("four figures: {row}") };
        assert_eq!((stored, reserved), (of_backups, of_uploads), "totals and rows, at the same moment");
        assert!(stored + reserved <= quota, "{stored} stored and {reserved} reserved of {quota}");
        TotalsSample { reserved }
    }
}

/// Sets the flag when it is dropped, also after a failure.
pub struct SetOnDrop<'a>(pub &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

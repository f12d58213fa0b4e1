//! The totals of an organization, checked again and again while something runs.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Server;

/// One look: a statement of its own, so all figures are of the same moment.
#[derive(Clone, Copy, Debug)]
pub struct TotalsSample {
    pub reserved: i64,
}

impl Server {
    /// Runs `work` and checks the totals all the while: they must say what the rows say, and never more than the
    /// quota. Returns what `work` gave, and every look.
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
            // Also when `work` fails: else nothing would end the looking.
            let end = SetOnDrop(&over);
            let done = work();
            drop(end);
            (done, looking.join().expect("the totals were right all the time"))
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

/// Says that it is over when it is dropped, by a failure, too.
pub struct SetOnDrop<'a>(pub &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

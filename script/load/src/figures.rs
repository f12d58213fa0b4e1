//! Counters and times, and their output.

use std::collections::BTreeMap;
use std::time::Duration;

/// The figures of one client, or of all of them.
#[derive(Debug, Default)]
pub struct Figures {
    /// The latency of each answer, in microseconds.
    pub latencies: Vec<u32>,
    pub statuses: BTreeMap<u16, u64>,
    /// The number of broken connections.
    pub broken: u64,
}

impl Figures {
    pub fn answered(&mut self, status: u16, latency: Duration) {
        self.latencies.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        *self.statuses.entry(status).or_default() += 1;
    }

    pub fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.broken += other.broken;
    }

    /// Returns the figures as one JSON object; `elapsed` is the wall clock time.
    pub fn json(mut self, clients: usize, elapsed: Duration) -> String {
        self.latencies.sort_unstable();
        let statuses: Vec<_> =
            self.statuses.iter().map(|(status, count)| format!("\"{status}\":{count}")).collect();
        let millis = |permille| f64::from(percentile(&self.latencies, permille)) / 1000.0;
        let seconds = elapsed.as_secs_f64();
        let requests = u32::try_from(self.latencies.len()).unwrap_or(u32::MAX);
        format!(
            "{{\"clients\":{clients},\"seconds\":{seconds:.3},\"requests\":{requests},\
             \"per_second\":{:.1},\"statuses\":{{{}}},\"broken\":{},\
             \"p50_ms\":{:.3},\"p90_ms\":{:.3},\"p99_ms\":{:.3},\"max_ms\":{:.3}}}",
            f64::from(requests) / seconds,
            statuses.join(","),
            self.broken,
            millis(500),
            millis(900),
            millis(990),
            millis(1000),
        )
    }
}

/// Returns a percentile of sorted values; 0 if there are none.
fn percentile(sorted: &[u32], permille: usize) -> u32 {
    let rank = (sorted.len() * permille).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        for (sorted, permille, expected) in [
            (&[][..], 500, 0),
            (&[7], 500, 7),
            (&[1, 2, 3, 4], 500, 2),
            (&[1, 2, 3, 4], 900, 4),
            (&[1, 2, 3], 1000, 3),
        ] {
            assert_eq!(percentile(sorted, permille), expected, "{sorted:?} {permille}");
        }
    }
}

//! The metrics of the fleet. Every process shows the same numbers, from the database: they are made anew for each scrape, and left
//! out while the database does not tell them.

use prometheus::{IntGaugeVec, Opts, Registry, TextEncoder};

/// The number of systems by status, and of the refused ones by reason.
#[derive(Debug, Default)]
pub struct SystemNumbers {
    pub by_status: Vec<(&'static str, i64)>,
    pub refused_by_reason: Vec<(&'static str, i64)>,
}

impl SystemNumbers {
    /// Returns the numbers as text (Prometheus' exposition format 0.0.4).
    pub fn render(&self) -> prometheus::Result<String> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str, label: &str, values: &[(&'static str, i64)]| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), &[label])?;
            for (word, number) in values {
                gauge.with_label_values(&[*word]).set(*number);
            }
            registry.register(Box::new(gauge))
        };
        let help = "Systems by status: suspended, damaged, refused, never, silent, late, fresh.";
        gauge("strongroom_systems", help, "status", &self.by_status)?;
        let help = "Systems with the status refused, by the reason of the last refusal.";
        gauge("strongroom_systems_refused", help, "reason", &self.refused_by_reason)?;
        TextEncoder::new().encode_to_string(&registry.gather())
    }
}

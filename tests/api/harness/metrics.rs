//! Reads the response of `GET /metrics`.

use super::Server;

impl Server {
    pub fn metrics(&self) -> String {
        let mut answer = self.agent().get(self.management_url("/metrics")).call().expect("an answer");
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        answer.body_mut().read_to_string().expect("text")
    }
}

/// Returns the value of this sample; 0 if it does not exist.
pub fn sample(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

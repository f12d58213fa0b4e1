//! Asking for backups, and waiting for the question.

use serde_json::Value;

use super::{Answer, RawClient, Server, System, head};

/// Where an appliance looks for what it is asked for.
pub const REQUESTS: &str = "/api/systems/backups/requests";

impl Server {
    /// Asks for a backup as an operator; gives the request's id.
    #[track_caller]
    pub fn ask(&self, system: &System) -> String {
        let asked = self.cli(["request", &system.id, "--json"]).exits(0).json();
        asked["id"].as_str().unwrap_or_else(|| panic!("no id: {asked}")).to_owned()
    }

    /// What the appliance is asked for now.
    #[track_caller]
    pub fn requested(&self, system: &System) -> Vec<String> {
        request_ids(&self.get(REQUESTS).user(system).send())
    }

    /// A connection on which the appliance waits.
    #[track_caller]
    pub fn waiting(&self, system: &System, seconds: u64) -> RawClient {
        let mut raw = RawClient::to(self);
        raw.send(head("GET", &format!("{REQUESTS}?wait={seconds}"), system, &[]));
        raw
    }

    /// State of a request, as the table has it.
    #[track_caller]
    pub fn request_state(&self, id: &str) -> String {
        self.db.one(&format!("SELECT state FROM backup_requests WHERE id = '{id}'"))
    }

    /// The backup (without its extension) that a request was fulfilled by, or "null".
    #[track_caller]
    pub fn answer_to(&self, id: &str) -> String {
        self.db.one(&format!("SELECT backup_id FROM backup_requests WHERE id = '{id}'"))
    }
}

/// Ids of the requests in an answer.
#[track_caller]
pub fn request_ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer}");
    let data = answer.data();
    let list = data["requests"].as_array().unwrap_or_else(|| panic!("no list: {answer}"));
    let id = |request: &Value| request["id"].as_str().expect("an id").to_owned();
    list.iter().map(id).collect()
}

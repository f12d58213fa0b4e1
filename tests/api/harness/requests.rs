//! Creates backup requests, and waits for them as an appliance.

use serde_json::Value;

use super::{Answer, RawClient, Server, System, head};

/// The appliance's list of its open backup requests.
pub const REQUESTS: &str = "/api/systems/backups/requests";

impl Server {
    /// Requests a backup as an operator; returns the request's id.
    #[track_caller]
    pub fn request_backup(&self, system: &System) -> String {
        let asked = self.cli(["request", &system.id, "--json"]).exits(0).json();
        asked["id"].as_str().unwrap_or_else(|| panic!("no id: {asked}")).to_owned()
    }

    /// Returns the ids of the system's open requests.
    #[track_caller]
    pub fn requested(&self, system: &System) -> Vec<String> {
        request_ids(&self.get(REQUESTS).user(system).send())
    }

    /// Returns a connection on which the appliance waits for a request.
    #[track_caller]
    pub fn waiting(&self, system: &System, seconds: u64) -> RawClient {
        let mut raw = RawClient::to(self);
        raw.send(head("GET", &format!("{REQUESTS}?wait={seconds}"), system, &[]));
        raw
    }

    /// Returns the state of a request, from the table.
    #[track_caller]
    pub fn request_state(&self, id: &str) -> String {
        self.db.one(&format!("SELECT state FROM backup_requests WHERE id = '{id}'"))
    }

    /// Returns the id (without extension) of the backup that fulfilled a request, or "null".
    #[track_caller]
    pub fn fulfilled_by(&self, id: &str) -> String {
        self.db.one(&format!("SELECT backup_id FROM backup_requests WHERE id = '{id}'"))
    }
}

/// Returns the ids of the requests in an answer.
#[track_caller]
pub fn request_ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer}");
    let data = answer.data();
    let list = data["requests"].as_array().unwrap_or_else(|| panic!("no list: {answer}"));
    let id = |request: &Value| request["id"].as_str().expect("an id").to_owned();
    list.iter().map(id).collect()
}

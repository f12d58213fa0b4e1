//! Systems as those see them who manage a fleet: `/api/systems` of the management API, and the command line.

mod add;
mod change;
mod command;
mod errors;
mod export;
mod list;
mod metrics;
mod paging;
mod portals;
mod rows_read;
mod secret;
mod show;
mod totals;

use serde_json::Value;

use crate::harness::{Answer, Login, Server};

pub const VIEW: &str = "backup:view";
pub const MANAGE: &str = "backup:view system:manage";
pub const ADMIN: &str = "backup:view system:manage backup:admin";

/// All words for a status, in the order in which they apply.
pub const STATUSES: [&str; 7] = ["suspended", "damaged", "refused", "never", "silent", "late", "fresh"];

pub fn start() -> (Login, Server) {
    let login = Login::new();
    let server = Server::builder().no_rate_limit().login(&login).start();
    (login, server)
}

/// Starts a server with a tree of organizations (`top` above `north` and `south`, `deep` below `north`) and one apart
/// (`other`), each with systems of every status.
pub fn start_with_fleet(systems_of_each: usize) -> (Login, Server) {
    let (login, server) = start();
    // The facts do not follow from rows in `backups` here.
    server.skip_audit();
    server.db.execute(&format!(
        "INSERT INTO organizations (id, name, parent_id) VALUES ('top', 'Top', NULL), ('north', 'North', 'top'),
             ('south', 'South', 'top'), ('deep', 'Deep', 'north'), ('other', 'Other', NULL);
         INSERT INTO org_usage (org_id) SELECT id FROM organizations;
         INSERT INTO systems (id, system_key, org_id, name, secret_sha256, state, contact_period, last_seen_at,
             last_backup_id, last_backup_at, backups_kept, bytes_kept, last_backup_damage, last_seq,
             refused_at, refused_reason, refused_since, refused_upload_at)
         SELECT gen_random_uuid(), o.id || '-' || n, o.id, 'Firewall ' || n % 10, sha256('x'),
             CASE n % 7 WHEN 4 THEN 'suspended' ELSE 'active' END,
             CASE n % 7 WHEN 6 THEN interval '1 minute' END, CASE n % 7 WHEN 6 THEN now() - interval '1 hour' END,
             CASE n % 7 WHEN 2 THEN NULL ELSE gen_random_uuid() END,
             CASE n % 7 WHEN 2 THEN NULL WHEN 1 THEN now() - n * interval '1 minute' - interval '2 days'
                 ELSE now() - n * interval '1 second' END,
             CASE n % 7 WHEN 2 THEN 0 ELSE n END, CASE n % 7 WHEN 2 THEN 0 ELSE 10 * n END,
             CASE n % 7 WHEN 5 THEN 'damaged' END, CASE n % 7 WHEN 2 THEN 0 ELSE n END,
             CASE n % 7 WHEN 3 THEN now() END, CASE n % 7 WHEN 3 THEN 'rate' END,
             CASE n % 7 WHEN 3 THEN now() END, CASE n % 7 WHEN 3 THEN now() END
         FROM organizations o, generate_series(1, {systems_of_each}) n"
    ));
    (login, server)
}

/// Asks the management API, and returns the answer.
pub fn get(server: &Server, token: &str, path: &str) -> Answer {
    server.manage("GET", path).bearer(token).send()
}

/// Sends a JSON body.
pub fn send(server: &Server, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let request = server.manage(method, path).bearer(token).header("content-type", "application/json");
    request.body(body.to_string()).send()
}

/// Reads all pages of a list, and returns its systems. `query` begins with `?`.
#[track_caller]
pub fn all_pages(server: &Server, token: &str, query: &str) -> Vec<Value> {
    let mut systems = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = get(server, token, &format!("/api/systems{query}{cursor}")).status(200).data();
        systems.extend(page["systems"].as_array().expect("systems").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return systems,
        }
    }
}

pub fn texts(systems: &[Value], member: &str) -> Vec<String> {
    systems.iter().map(|system| system[member].as_str().unwrap_or("null").to_owned()).collect()
}

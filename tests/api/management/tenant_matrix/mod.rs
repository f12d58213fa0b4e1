//! Every operation of the management API, with the ids of every other branch of the tree and every scope: what a caller does
//! not see is not there. The operations come from the OpenAPI document, so a new one without a row fails.

mod rows;

use serde_json::{Value, json};

use self::rows::{Place, ROWS, Row, WITHOUT_TENANTS};
use crate::harness::{Answer, ApiDocument, Login, Server, System, bytes};

const SCOPES: [&str; 5] = ["backup:view", "backup:create", "backup:delete", "system:manage", "org:manage"];
/// Organizations, and the one above each: two branches of one tree, one of them of depth 3, and another tree.
const ORGS: [(&str, &str); 6] = [
    ("matrix-top", "none"),
    ("matrix-north", "matrix-top"),
    ("matrix-branch", "matrix-north"),
    ("matrix-west", "matrix-top"),
    ("matrix-globex", "none"),
    ("matrix-south", "matrix-globex"),
];
const UNKNOWN_SYSTEM: &str = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab";
const UNKNOWN_ORG: &str = "matrix-unknown";
/// In the form of a path or a query.
const MALFORMED: [&str; 5] = ["nonsense%20", "..%2f..", "%00", "%ff", "a%2eb"];

/// An organization below this one, without systems.
fn child_of(org: &str) -> String {
    format!("{org}-child")
}

/// An operation of the document and its row.
struct Operation {
    method: String,
    path: String,
    scope: String,
    row: &'static Row,
}

struct Matrix {
    server: Server,
    login: Login,
    operations: Vec<Operation>,
    /// A system of each organization, one of its backups, and a backup request.
    systems: Vec<(System, String, String)>,
}

impl Matrix {
    fn new() -> Self {
        let login = Login::new();
        let server = Server::builder().no_rate_limit().login(&login).start();
        for (org, parent) in ORGS {
            server.cli(["org", "add", org]).exits(0);
            server.cli(["org", "set-parent", org, parent]).exits(0);
            server.cli(["org", "add", &child_of(org), "--parent", org]).exits(0);
        }
        let systems = ORGS.map(|(org, _)| {
            let system = server.add_system(org, &format!("system of {org}"));
            let backup = server.store(&system, &bytes(10));
            let request = server.request_backup(&system);
            (system, backup, request)
        });
        let operations = operations(&server);
        Self { server, login, operations, systems: systems.to_vec() }
    }

    fn token(&self, org: &str, scopes: &[&str]) -> String {
        self.login.token(org, &scopes.join(" "))
    }

    /// The system of an organization, with a backup and a backup request.
    fn system_of(&self, org: &str) -> &(System, String, String) {
        self.systems.iter().find(|(system, ..)| system.org == org).expect("a system")
    }

    /// Calls the operation with this system or organization at a place, and with what `caller` sees at the others.
    fn call(&self, operation: &Operation, caller: &str, at: Option<(Place, &str)>, token: &str) -> Answer {
        let named = |place: Place| at.filter(|(named, _)| *named == place).map(|(_, id)| id);
        let (own, backup, request) = self.system_of(caller);
        let is_system = operation.row.places.contains(&Place::SystemInPath);
        let own = if is_system { own.id.as_str() } else { caller };
        let child = child_of(caller);
        // Nobody moves their own organization.
        let own = if matches!(at, Some((Place::OrgInBody(_), _))) && !is_system { &child } else { own };
        let id = named(Place::SystemInPath).or(named(Place::OrgInPath)).unwrap_or(own);
        let path = operation.path.replace("{id}", id).replace("{siteId}", id);
        let path = path
            .replace("{backup_id}", backup)
            .replace("{filename}", backup)
            .replace("{request_id}", request);
        let mut query = operation.row.query.to_owned();
        let mut body = (operation.row.body)();
        match at {
            Some((Place::OrgInQuery(name), id)) => query = format!("{query}&{name}={id}"),
            Some((Place::OrgInBody(name), id)) => body[name] = json!(id),
            _ => {}
        }
        let query = query.trim_start_matches('&');
        let url = if query.is_empty() { path } else { format!("{path}?{query}") };
        let request = self.server.manage(&operation.method, &url).bearer(token);
        match body {
            Value::Null if operation.method == "POST" => request.body("").send(),
            Value::Null => request.send(),
            body => request.body(body.to_string()).send(),
        }
    }

    /// What the database has of systems, organizations, backups and backup requests.
    fn contents(&self) -> Vec<String> {
        self.server.db.all(
            "SELECT concat_ws(' ', 'o', id, name, parent_id, quota_bytes, backup_period) FROM organizations \
             UNION ALL SELECT concat_ws(' ', 's', id, org_id, name, state, secret_sha256, backup_period) FROM systems \
             UNION ALL SELECT concat_ws(' ', 'b', id, state) FROM backups \
             UNION ALL SELECT concat_ws(' ', 'r', id, state) FROM backup_requests ORDER BY 1",
        )
    }
}

/// The operations of the management API that need a token.
fn operations(server: &Server) -> Vec<Operation> {
    let api = ApiDocument::of(server);
    let management = server.management_url("");
    let mut found = Vec::new();
    for (method, path, operation) in api.operations() {
        let id = operation["operationId"].as_str().expect("an id");
        let servers = &api.document()["paths"][path]["servers"];
        let is_ours = servers.as_array().into_iter().flatten().any(|one| one["url"] == management.as_str());
        let scopes =
            operation["security"].as_array().into_iter().flatten().find_map(|one| one["bearer"].as_array());
        let Some(scopes) = scopes.filter(|_| is_ours && !WITHOUT_TENANTS.contains(&id)) else { continue };
        assert_eq!(scopes.len(), 1, "{id} needs one scope");
        let row = ROWS.iter().find(|row| row.operation == id);
        found.push(Operation {
            method,
            path: path.to_owned(),
            scope: scopes[0].as_str().expect("a scope").to_owned(),
            row: row.unwrap_or_else(|| panic!("{id} has no row in the tenant matrix")),
        });
    }
    assert!(found.len() >= 12, "{} operations", found.len());
    found
}

/// An organization and all above it.
fn path_of(org: &str) -> Vec<&'static str> {
    let parent = |org: &str| ORGS.iter().find(|(id, _)| *id == org);
    std::iter::successors(parent(org), |(_, above)| parent(above)).map(|(id, _)| *id).collect()
}

/// The parts of an answer that do not depend on the time, nor on whether the body of the request had arrived.
fn without_time(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| name != "date" && name != "connection");
    headers.sort();
    (answer.status, headers, String::from_utf8_lossy(&answer.body).into_owned())
}

#[test]
fn foreign_unknown_and_malformed_ids_have_the_same_answer_everywhere() {
    let matrix = Matrix::new();
    let before = matrix.contents();
    let mut answers = 0;
    for operation in &matrix.operations {
        for (caller, _) in ORGS {
            let token = matrix.token(caller, &SCOPES);
            for &place in operation.row.places {
                let is_system = place == Place::SystemInPath;
                let unknown = if is_system { UNKNOWN_SYSTEM } else { UNKNOWN_ORG };
                let expected = without_time(&matrix.call(operation, caller, Some((place, unknown)), &token));
                let about = format!("{} {place:?} by {caller}", operation.row.operation);
                assert_eq!(expected.0, 404, "{about}: {expected:?}");
                let foreign =
                    ORGS.iter().filter(|(org, _)| !path_of(org).contains(&caller)).map(|(org, _)| {
                        if is_system { matrix.system_of(org).0.id.clone() } else { (*org).to_owned() }
                    });
                let malformed = MALFORMED.iter().map(|text| (*text).to_owned());
                for id in foreign.chain(malformed) {
                    let answer = without_time(&matrix.call(operation, caller, Some((place, &id)), &token));
                    assert_eq!(answer, expected, "{about}: {id}");
                    assert!(!answer.2.contains(&id), "{about} repeats {id}: {}", answer.2);
                    answers += 1;
                }
            }
        }
    }
    assert_eq!(matrix.contents(), before, "nothing was changed");
    assert!(answers > 500, "{answers}");
}

#[test]
fn reads_show_what_is_below_the_callers_organization_and_nothing_else() {
    let matrix = Matrix::new();
    for operation in matrix.operations.iter().filter(|operation| operation.method == "GET") {
        for (caller, _) in ORGS {
            let token = matrix.token(caller, &SCOPES);
            let about = format!("{} by {caller}", operation.row.operation);
            let mut answers = vec![matrix.call(operation, caller, None, &token).status(200)];
            for &place in operation.row.places {
                for (org, _) in ORGS.iter().filter(|(org, _)| path_of(org).contains(&caller)) {
                    let (system, ..) = matrix.system_of(org);
                    let id = if place == Place::SystemInPath { &system.id } else { &system.org };
                    // A backup of another system is not found.
                    if operation.path.contains("{backup_id}") || operation.path.contains("{filename}") {
                        continue;
                    }
                    answers.push(matrix.call(operation, caller, Some((place, id)), &token).status(200));
                }
            }
            for answer in &answers {
                let text = String::from_utf8_lossy(&answer.body);
                for (org, _) in ORGS.iter().filter(|(org, _)| !path_of(org).contains(&caller)) {
                    let (system, backup, request) = matrix.system_of(org);
                    for hidden in [&system.id, &system.key, backup, request, &format!("system of {org}")] {
                        assert!(!text.contains(hidden.as_str()), "{about} shows {hidden}: {text}");
                    }
                    // Only the parent of the caller's own organization is named.
                    let is_parent = path_of(caller).get(1) == Some(org);
                    assert!(is_parent || !text.contains(org), "{about} shows {org}: {text}");
                }
            }
        }
    }
}

#[test]
fn each_operation_needs_its_scope_and_no_other() {
    let matrix = Matrix::new();
    let before = matrix.contents();
    let caller = "matrix-north";
    for operation in &matrix.operations {
        let about = operation.row.operation;
        let others: Vec<&str> = SCOPES.into_iter().filter(|scope| *scope != operation.scope).collect();
        assert_eq!(others.len(), SCOPES.len() - 1, "{about} needs {}", operation.scope);
        // An administrator needs the scope, too; and without it nobody learns whether a system or an organization exists.
        let with_admin = [others.clone(), vec!["backup:admin"]].concat();
        for scopes in [others, with_admin, vec!["openid"]] {
            let token = matrix.token(caller, &scopes);
            let place = operation.row.places.first().copied();
            let unknown = |place| if place == Place::SystemInPath { UNKNOWN_SYSTEM } else { UNKNOWN_ORG };
            let own = matrix.call(operation, caller, None, &token).status(403);
            let needed = format!(r#"Bearer error="insufficient_scope", scope="{}""#, operation.scope);
            assert_eq!(own.must_have("www-authenticate"), needed, "{about} {scopes:?}");
            for id in [place.map(unknown), place.map(|_| "%00")].into_iter().flatten() {
                let at = place.map(|place| (place, id));
                let answer = matrix.call(operation, caller, at, &token);
                assert_eq!(without_time(&answer), without_time(&own), "{about} {scopes:?} {id}");
            }
        }
        let unsigned = matrix.call(operation, caller, None, "nonsense");
        assert_eq!(unsigned.status, 401, "{about}: {unsigned}");
    }
    assert_eq!(matrix.contents(), before, "nothing was changed");
}

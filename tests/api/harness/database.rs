//! A migrated database for each test: the real `strongroom migrate` makes a template once, and each test copies
//! it.

use std::process::Command;
use std::sync::{Mutex, OnceLock};

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, sql_query};

use super::{TIMEOUT, assert_eventually, eventually, unique};

const VARIABLE: &str = "STRONGROOM_TEST_DATABASE_URL";
const PREFIX: &str = "strongroom_test_";

/// A database; usually one of the test's own.
pub struct Database {
    name: String,
    url: String,
    connection: Mutex<Option<PgConnection>>,
    /// Dropping this value drops the database.
    ours: bool,
}

#[derive(QueryableByName)]
struct One {
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}

impl Database {
    /// Makes a database with the schema of this build.
    pub fn new() -> Self {
        static TEMPLATE: OnceLock<String> = OnceLock::new();
        let template = TEMPLATE.get_or_init(make_template);
        let database = Self::create(&format!("TEMPLATE {template}"));
        assert!(!database.all("SELECT relname::text FROM pg_class WHERE relname = 'backups'").is_empty());
        database
    }

    /// Makes an empty database, without the service's tables.
    pub fn empty() -> Self {
        Self::create("")
    }

    fn create(options: &str) -> Self {
        let name = format!("{PREFIX}{}_{}", std::process::id(), unique());
        admin(&format!("CREATE DATABASE {name} {options}"));
        Self { url: url_of(&name), name, connection: Mutex::new(None), ours: true }
    }

    /// Uses an existing database, and keeps it.
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), name: String::new(), connection: Mutex::new(None), ours: false }
    }

    /// Returns the URL for another role; the tests' cluster needs no password.
    pub fn url_as(&self, role: &str) -> String {
        // libpq uses the last one of repeated parameters.
        let separator = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{separator}user={role}", self.url)
    }

    /// Ends the connection, and releases its locks.
    pub fn disconnect(&self) {
        *self.lock() = None;
    }

    /// Whether the database answers.
    pub fn answers(&self) -> bool {
        PgConnection::establish(&self.url).is_ok()
    }

    /// Connects again, after Postgres was restarted or replaced.
    pub fn connect_again(&self) {
        *self.lock() = None;
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns a session as the service uses it.
    pub fn session(&self) -> strongroom::db::Session {
        strongroom::db::Connector::new(&self.url).expect("a URL").connect().expect("connect")
    }

    /// Runs one or more SQL statements.
    #[track_caller]
    pub fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
    }

    pub fn try_execute(&self, sql: &str) -> diesel::QueryResult<()> {
        self.with(|connection| connection.batch_execute(sql))
    }

    /// Returns the only column of every row, as text; null is "null".
    #[track_caller]
    pub fn all(&self, sql: &str) -> Vec<String> {
        let sql = format!("SELECT found.value::text FROM ({sql}) AS found (value)");
        let rows: Vec<One> =
            self.with(|connection| sql_query(&sql).load(connection)).unwrap_or_else(|e| panic!("{e}: {sql}"));
        rows.into_iter().map(|row| row.value.unwrap_or_else(|| "null".to_owned())).collect()
    }

    /// Returns the plan of a query with its actual costs.
    #[track_caller]
    pub fn explain(&self, question: &str) -> String {
        #[derive(QueryableByName)]
        struct Line {
            #[diesel(sql_type = Text)]
            #[diesel(column_name = "QUERY PLAN")]
            line: String,
        }
        let sql = format!("EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) {question}");
        let lines: Vec<Line> =
            self.with(|connection| sql_query(&sql).load(connection)).unwrap_or_else(|e| panic!("{e}: {sql}"));
        lines.into_iter().map(|line| line.line + "\n").collect()
    }

    /// Returns the only column of the only row.
    #[track_caller]
    pub fn one(&self, sql: &str) -> String {
        let mut rows = self.all(sql);
        assert_eq!(rows.len(), 1, "one row: {sql}");
        rows.remove(0)
    }

    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Number {
            #[diesel(sql_type = BigInt)]
            value: i64,
        }
        let sql = format!("SELECT (({sql}))::bigint AS value");
        let row: Number = self
            .with(|connection| sql_query(&sql).get_result(connection))
            .unwrap_or_else(|e| panic!("{e}: {sql}"));
        row.value
    }

    #[track_caller]
    pub fn holds(&self, condition: &str) -> bool {
        #[derive(QueryableByName)]
        struct Truth {
            #[diesel(sql_type = Bool)]
            value: bool,
        }
        let sql = format!("SELECT ({condition}) AS value");
        let row: Truth = self
            .with(|connection| sql_query(&sql).get_result(connection))
            .unwrap_or_else(|e| panic!("{e}: {sql}"));
        row.value
    }

    /// Returns the number of transactions so far, of connections that have reported theirs: all that have ended.
    #[track_caller]
    pub fn transactions(&self) -> i64 {
        self.number(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()",
        )
    }

    /// Whether a transaction of the service waits for a lock.
    #[track_caller]
    pub fn waits_for_a_lock(&self) -> bool {
        self.holds(
            "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = 'strongroom' AND wait_event_type = 'Lock')",
        )
    }

    /// Waits until only the test is connected: Postgres counts a connection's work completely when it ends.
    #[track_caller]
    pub fn wait_until_alone(&self) {
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        assert_eventually("no other session is connected", TIMEOUT, || self.number(others) == 0);
    }

    /// Refuses connections to the database from now on, and ends the existing ones.
    pub fn refuse_connections(&self) {
        *self.lock() = None;
        admin(&format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", self.name));
        let others = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
            self.name
        );
        let gone = eventually(TIMEOUT, || {
            admin(&others);
            let name = &self.name;
            count(&format!("SELECT count(*) AS value FROM pg_stat_activity WHERE datname = '{name}'")) == 0
        });
        assert!(gone, "a session stays connected to {}", self.name);
    }

    /// Ends `refuse_connections`.
    pub fn accept_connections(&self) {
        admin(&format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", self.name));
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut PgConnection) -> diesel::QueryResult<T>,
    ) -> diesel::QueryResult<T> {
        let mut slot = self.lock();
        let connection = slot.get_or_insert_with(|| connect(&self.url));
        work(connection)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<PgConnection>> {
        self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        *self.lock() = None;
        if !self.ours {
            return;
        }
        try_admin(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name))
            .unwrap_or_else(|e| eprintln!("{e}"));
    }
}

fn make_template() -> String {
    drop_leftovers();
    let name = format!("{PREFIX}{}_template", std::process::id());
    admin(&format!("CREATE DATABASE {name}"));
    let done = Command::new(env!("CARGO_BIN_EXE_strongroom"))
        .arg("migrate")
        .env("DATABASE_URL", url_of(&name))
        .output()
        .expect("run strongroom migrate");
    assert!(done.status.success(), "strongroom migrate: {}", String::from_utf8_lossy(&done.stderr));
    // Postgres copies only a database without connections, and a session ends a little later than its client.
    let others = format!("SELECT count(*) AS value FROM pg_stat_activity WHERE datname = '{name}'");
    assert!(eventually(TIMEOUT, || count(&others) == 0), "a session stays connected to {name}");
    name
}

/// Drops the databases of earlier test runs: a killed run drops none, and templates stay until their run ends.
fn drop_leftovers() {
    let mut connection = connect(&admin_url());
    let sql = format!("SELECT datname::text AS value FROM pg_database WHERE datname LIKE '{PREFIX}%'");
    let names: Vec<One> = sql_query(sql).load(&mut connection).expect("list databases");
    for name in names.into_iter().filter_map(|row| row.value) {
        let pid = name[PREFIX.len()..].split('_').next().unwrap_or_default();
        if !std::path::Path::new("/proc").join(pid).exists() {
            let _ = try_admin(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

fn count(sql: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        value: i64,
    }
    let row: Count = sql_query(sql).get_result(&mut connect(&admin_url())).expect("count");
    row.value
}

#[track_caller]
fn admin(sql: &str) {
    try_admin(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
}

fn try_admin(sql: &str) -> diesel::QueryResult<()> {
    connect(&admin_url()).batch_execute(sql)
}

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url)
        .unwrap_or_else(|e| panic!("connect to the tests' Postgres ({VARIABLE}): {e}"))
}

fn admin_url() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} is not set: run the tests with script/test, which starts a Postgres for them")
    })
}

/// Returns the admin URL with another database name.
fn url_of(database: &str) -> String {
    let admin = admin_url();
    let (address, options) = admin.split_once('?').map_or((admin.as_str(), None), |(a, o)| (a, Some(o)));
    let start = address.find("://").unwrap_or_else(|| panic!("{VARIABLE} is not a URL")) + 3;
    let server = address[start..].find('/').map_or(address, |slash| &address[..start + slash]);
    options.map_or_else(|| format!("{server}/{database}"), |o| format!("{server}/{database}?{o}"))
}

//! A role of a test's own. Roles belong to the whole cluster: dropping this value drops the role.

use super::{Database, unique};

pub struct DatabaseRole<'a> {
    database: &'a Database,
    pub name: String,
}

impl<'a> DatabaseRole<'a> {
    /// Makes a role that may connect, and nothing else.
    pub fn new(database: &'a Database) -> Self {
        let name = format!("strongroom_test_{}_{}", std::process::id(), unique());
        database.execute(&format!("CREATE ROLE {name} LOGIN"));
        Self { database, name }
    }

    pub fn grant(&self, rights: &str) {
        self.database.execute(&format!("GRANT {rights} TO {}", self.name));
    }

    pub fn url(&self) -> String {
        self.database.url_as(&self.name)
    }

    pub fn connect(&self) -> Database {
        Database::at(&self.url())
    }
}

impl Drop for DatabaseRole<'_> {
    fn drop(&mut self) {
        let name = &self.name;
        let dropped = self.database.try_execute(&format!("DROP OWNED BY {name}; DROP ROLE {name}"));
        dropped.unwrap_or_else(|e| eprintln!("drop role {name}: {e}"));
    }
}

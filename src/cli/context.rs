//! What the commands share: the settings, a connection, the store, and how to print.

use std::sync::Arc;

use tokio::runtime::Runtime;
use uuid::Uuid;

use super::exit::Failure;
use super::output::Output;
use crate::config::Config;
use crate::db::accounting::{self, AccountingPolicy, Operation, OperationOutcome, OrgBatch};
use crate::db::systems::{self, SystemSummary};
use crate::db::{self, Conn, Connector, Db};
use crate::domain::ids::{BackupId, Extension, OrgId};
use crate::domain::object_key::ObjectKey;
use crate::startup;
use crate::store::BlobStore;

pub struct Context {
    pub config: Config,
    pub connector: Connector,
    pub conn: Conn,
    pub output: Output,
}

/// What jobs work with: a pool, the store, and the runtime of both.
pub struct Tools {
    pub db: Db,
    pub store: Arc<dyn BlobStore>,
    pub runtime: Runtime,
}

impl Context {
    /// Reads the settings and connects.
    pub fn open(json: bool) -> Result<Self, Failure> {
        let config = Config::from_env()?;
        let connector = startup::connector(&config)?;
        let mut conn = connector.connect()?.conn;
        db::lift_statement_timeout(&mut conn)?;
        Ok(Self { config, connector, conn, output: Output::new(json) })
    }

    /// The store, and the runtime that it works on.
    pub fn store(&self) -> Result<(Arc<dyn BlobStore>, Runtime), Failure> {
        let runtime = Runtime::new().map_err(|e| Failure::Refused(format!("start a runtime: {e}")))?;
        let store = startup::open_store(&self.config.store, runtime.handle())?;
        Ok((store, runtime))
    }

    /// The store, if objects with this prefix can be deleted in it now: looked at before anything is changed.
    ///
    /// The look is the deletion of an object that does not exist. Writing one would need room, and a deletion may be what
    /// makes some.
    pub fn store_that_deletes(&self, prefix: &str) -> Result<(Arc<dyn BlobStore>, Runtime), Failure> {
        let (store, runtime) = self.store()?;
        let nothing = format!("{prefix}{}", BackupId::new(Uuid::now_v7(), Extension::Bin));
        let nothing = ObjectKey::parse(&nothing).map_err(|e| Failure::Refused(e.to_string()))?;
        runtime.block_on(store.delete(&nothing)).map_err(|error| {
            Failure::from(error)
                .map(|cause| format!("nothing was changed, because nothing can be deleted: {cause}"))
        })?;
        Ok((store, runtime))
    }

    /// The system with this id or key.
    pub fn system(&mut self, id_or_key: &str) -> Result<SystemSummary, Failure> {
        systems::find(&mut self.conn, id_or_key)?.ok_or_else(|| {
            Failure::Refused(format!("no system {id_or_key:?}: `strongroom system list` shows ids and keys"))
        })
    }

    /// What the service's jobs need, to run them by hand.
    pub fn tools(&self) -> Result<Tools, Failure> {
        let (store, runtime) = self.store()?;
        let db = Db::new(self.connector.clone(), runtime.handle().clone());
        Ok(Tools { db, store, runtime })
    }

    /// The settings that accounting obeys.
    pub fn policy(&self) -> AccountingPolicy {
        // The command line never admits an upload.
        startup::policy(&self.config.uploads, Uuid::nil())
    }

    /// Changes an organization's books in one transaction, under the same locks as the service.
    pub fn account(&mut self, org: &str, operations: &[Operation]) -> Result<Vec<OperationOutcome>, Failure> {
        let policy = self.policy();
        let org = OrgId::parse(org).map_err(|e| Failure::Refused(e.to_string()))?;
        let share = OrgBatch::new(org, operations.to_vec());
        Ok(accounting::run(&mut self.conn, &policy, &share)?)
    }
}

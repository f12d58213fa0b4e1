//! The context that commands share: the settings, a connection, the store, and the form of the output.

use std::sync::Arc;

use tokio::runtime::Runtime;
use uuid::Uuid;

use super::environment::assume_account;
use super::exit::Failure;
use super::output::Output;
use crate::config::Config;
use crate::db::accounting::{self, AccountingPolicy, Operation, OperationOutcome, OrgBatch};
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

/// The context of background tasks: a pool, the store, and the runtime of both.
pub struct TaskContext {
    pub db: Db,
    pub store: Arc<dyn BlobStore>,
    pub runtime: Runtime,
}

impl Context {
    /// Reads the settings, becomes the account of the service if root runs the command on an installed machine, and connects to the database.
    pub fn open(json: bool) -> Result<Self, Failure> {
        let config = Config::from_env()?;
        assume_account()?;
        let connector = startup::connector(&config)?;
        let mut conn = connector.connect()?.conn;
        db::lift_statement_timeout(&mut conn)?;
        Ok(Self { config, connector, conn, output: Output::new(json) })
    }

    /// Opens the store, and the runtime that it uses.
    pub fn store(&self) -> Result<(Arc<dyn BlobStore>, Runtime), Failure> {
        let runtime = Runtime::new().map_err(|e| Failure::Refused(format!("start a runtime: {e}")))?;
        let store = startup::open_store(&self.config.store, runtime.handle())?;
        Ok((store, runtime))
    }

    /// Opens the store, and checks that it can delete objects with this prefix. Called before anything is changed.
    ///
    /// The check deletes an object that does not exist. It writes nothing, because the disk may be full, and the deletion frees
    /// space.
    pub fn store_for_deletion(&self, prefix: &str) -> Result<(Arc<dyn BlobStore>, Runtime), Failure> {
        let (store, runtime) = self.store()?;
        let absent = format!("{prefix}{}", BackupId::new(Uuid::now_v7(), Extension::Bin));
        let absent = ObjectKey::parse(&absent).map_err(|e| Failure::Refused(e.to_string()))?;
        runtime.block_on(store.delete(&absent)).map_err(|error| {
            Failure::from(error).map_line(|cause| {
                format!(
                    "nothing was changed: the store cannot delete objects now: {cause}; try again when it can"
                )
            })
        })?;
        Ok((store, runtime))
    }

    /// Returns the context of the service's background tasks, to run them from a command.
    pub fn task_context(&self) -> Result<TaskContext, Failure> {
        let (store, runtime) = self.store()?;
        let db = Db::new(self.connector.clone(), runtime.handle().clone());
        Ok(TaskContext { db, store, runtime })
    }

    /// Returns the settings of accounting.
    pub fn accounting_policy(&self) -> AccountingPolicy {
        // The command line never admits an upload.
        startup::policy(&self.config.uploads, Uuid::nil())
    }

    /// Runs operations of accounting in one transaction, under the same locks as the service.
    pub fn run_operations(
        &mut self,
        org: &str,
        operations: &[Operation],
    ) -> Result<Vec<OperationOutcome>, Failure> {
        let policy = self.accounting_policy();
        let org = OrgId::parse(org).map_err(|e| Failure::Refused(e.to_string()))?;
        let batch = OrgBatch::new(org, operations.to_vec());
        Ok(accounting::run(&mut self.conn, &policy, &batch)?)
    }
}

//! From a Basic auth credential to an identity.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::timeout;
use uuid::Uuid;

use super::error::Outage;
use super::{READ_PATIENCE, ReadError};
use crate::db::systems::{self, CredentialRow};
use crate::db::{Db, DbError, Lane};
use crate::domain::ids::{OrgId, SystemKey};

/// An authenticated system. Only [`Authenticator::authenticate`] makes one.
#[derive(Debug, Clone)]
pub struct SystemIdentity {
    id: Uuid,
    key: SystemKey,
    org: OrgId,
    window_epoch: i64,
}

impl SystemIdentity {
    pub fn id(&self) -> Uuid {
        self.id
    }

    pub fn key(&self) -> &SystemKey {
        &self.key
    }

    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// See `systems.window_epoch`.
    pub fn window_epoch(&self) -> i64 {
        self.window_epoch
    }
}

/// A rotated, suspended or destroyed credential has to stop working within a second everywhere.
const CACHED_FOR: Duration = Duration::from_millis(900);
/// Guesses of user names must not fill the memory.
const CACHED_AT_MOST: usize = 10_000;

/// Names share turns; with as many as this they rarely meet.
const TURNS: u64 = 256;

type Looked = (Instant, Option<CredentialRow>);

/// Checks credentials: one look-up a second for each user name that is used.
pub struct Authenticator {
    db: Db,
    cache: Mutex<HashMap<String, Looked>>,
    turns: Vec<tokio::sync::Mutex<()>>,
}

impl Authenticator {
    pub fn new(db: Db) -> Self {
        Self {
            db,
            cache: Mutex::default(),
            turns: (0..TURNS).map(|_| tokio::sync::Mutex::default()).collect(),
        }
    }

    /// `None` for a wrong credential, whatever is wrong with it. An unknown user name costs the
    /// same work as a known one.
    pub async fn authenticate(&self, key: &str, secret: &str) -> Result<Option<SystemIdentity>, ReadError> {
        let Ok(key) = SystemKey::parse(key) else { return Ok(None) };
        let row = self.look_up(&key).await?;
        let given = Sha256::digest(secret.as_bytes());
        let nobody = [0u8; 32];
        let expected = row.as_ref().map_or(nobody.as_slice(), |row| row.secret_sha256.as_slice());
        let matches = bool::from(given.as_slice().ct_eq(expected));
        let Some(row) = row.filter(|row| matches && row.is_active()) else { return Ok(None) };
        let org = OrgId::parse(&row.org_id).map_err(|e| ReadError::Unavailable(Outage::database(&e)))?;
        Ok(Some(SystemIdentity { id: row.id, key, org, window_epoch: row.window_epoch }))
    }

    async fn look_up(&self, key: &SystemKey) -> Result<Option<CredentialRow>, DbError> {
        let asked = Instant::now();
        if let Some((at, row)) = self.cached(key)
            && asked.duration_since(at) < CACHED_FOR
        {
            return Ok(row);
        }
        // One look-up at a time for a name: who comes meanwhile finds its answer.
        let mut hasher = DefaultHasher::new();
        key.as_str().hash(&mut hasher);
        let turn = &self.turns[usize::try_from(hasher.finish() % TURNS).unwrap_or(0)];
        let _turn = timeout(READ_PATIENCE, turn.lock()).await.map_err(|_| DbError::Busy)?;
        if let Some((at, row)) = self.cached(key)
            && asked.duration_since(at) < CACHED_FOR
        {
            return Ok(row);
        }
        let asked = Instant::now();
        let name = key.as_str().to_owned();
        let query = move |conn: &mut _| systems::credential(conn, &name);
        let row = self.db.run(Lane::Reads, READ_PATIENCE, query).await?;
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED_AT_MOST {
            cache.retain(|_, (at, _)| asked.duration_since(*at) < CACHED_FOR);
        }
        if cache.len() < CACHED_AT_MOST {
            cache.insert(key.as_str().to_owned(), (asked, row.clone()));
        }
        Ok(row)
    }

    fn cached(&self, key: &SystemKey) -> Option<Looked> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(key.as_str()).cloned()
    }
}

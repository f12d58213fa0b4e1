//! What the database knows of a user name, asked for as rarely as possible.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::bounded::Bounded;
use crate::backups::READ_PATIENCE;
use crate::db::systems::{self, CredentialRow};
use crate::db::{Db, DbError, Lane};
use crate::domain::ids::SystemKey;

/// A rotated, suspended or destroyed credential has to stop working within a second everywhere.
const CACHED_FOR: Duration = Duration::from_millis(900);
/// Names that exist, and names that do not: guesses must not push out what appliances use.
const CACHED_AT_MOST: usize = 10_000;
/// Names share turns; with as many as this they rarely meet.
const TURNS: u64 = 256;
/// Look-ups that are gathered go together this often.
const BEAT: Duration = Duration::from_millis(250);

type Found = Result<Option<CredentialRow>, DbError>;

/// The names that wait for the next beat, and who wants to know of each.
type Waiting = HashMap<String, Vec<oneshot::Sender<Found>>>;

pub(super) struct LookUps(Arc<Shared>);

struct Shared {
    db: Db,
    engine: Handle,
    known: Mutex<Bounded<String, CredentialRow>>,
    unknown: Mutex<Bounded<String, ()>>,
    turns: Vec<tokio::sync::Mutex<()>>,
    /// `None` while no beat is to come.
    waiting: Mutex<Option<Waiting>>,
}

impl LookUps {
    pub fn new(db: Db, engine: Handle) -> Self {
        Self(Arc::new(Shared {
            db,
            engine,
            known: Mutex::new(Bounded::new(CACHED_FOR, CACHED_AT_MOST)),
            unknown: Mutex::new(Bounded::new(CACHED_FOR, CACHED_AT_MOST)),
            turns: (0..TURNS).map(|_| tokio::sync::Mutex::default()).collect(),
            waiting: Mutex::default(),
        }))
    }

    /// A name that was found within the last second.
    pub fn known(&self, key: &SystemKey, now: Instant) -> Option<CredentialRow> {
        lock(&self.0.known).get(key.as_str(), now).cloned()
    }

    /// The next one looks again.
    pub fn forget(&self, key: &SystemKey) {
        lock(&self.0.known).remove(key.as_str());
    }

    /// One look-up at a time and a second for a name: who comes meanwhile finds its answer.
    pub async fn one(&self, key: &SystemKey) -> Found {
        let asked = Instant::now();
        if let Some(found) = self.remembered(key, asked) {
            return found;
        }
        let mut hasher = DefaultHasher::new();
        key.as_str().hash(&mut hasher);
        let turn = &self.0.turns[usize::try_from(hasher.finish() % TURNS).unwrap_or(0)];
        let _turn = timeout(READ_PATIENCE, turn.lock()).await.map_err(|_| DbError::Busy)?;
        if let Some(found) = self.remembered(key, asked) {
            return found;
        }
        let asked = Instant::now();
        let row = self.0.ask(vec![key.as_str().to_owned()]).await?.pop();
        match &row {
            Some(row) => lock(&self.0.known).insert(key.as_str().to_owned(), row.clone(), asked),
            None => lock(&self.0.unknown).insert(key.as_str().to_owned(), (), asked),
        }
        Ok(row)
    }

    /// Waits for the next beat, and shares its one query with everybody who does. It is asked whether
    /// or not something is remembered, so that the wait tells nothing.
    pub async fn together(&self, key: &SystemKey) -> Found {
        let (tell, told) = oneshot::channel();
        {
            let mut waiting = lock(&self.0.waiting);
            if waiting.is_none() {
                *waiting = Some(Waiting::new());
                self.0.engine.spawn(beat(Arc::clone(&self.0)));
            }
            waiting.get_or_insert_default().entry(key.as_str().to_owned()).or_default().push(tell);
        }
        told.await.unwrap_or(Err(DbError::Busy))
    }

    fn remembered(&self, key: &SystemKey, now: Instant) -> Option<Found> {
        if let Some(row) = self.known(key, now) {
            return Some(Ok(Some(row)));
        }
        lock(&self.0.unknown).get(key.as_str(), now).map(|()| Ok(None))
    }
}

impl Shared {
    async fn ask(&self, names: Vec<String>) -> Result<Vec<CredentialRow>, DbError> {
        let query = move |conn: &mut _| systems::credentials(conn, &names);
        self.db.run(Lane::Reads, READ_PATIENCE, query).await
    }
}

/// Asks for what has been gathered, until nothing is. One query at a time, on one connection.
async fn beat(shared: Arc<Shared>) {
    loop {
        sleep(BEAT).await;
        let gathered = {
            let mut waiting = lock(&shared.waiting);
            match waiting.take() {
                Some(gathered) if !gathered.is_empty() => {
                    *waiting = Some(Waiting::new());
                    gathered
                }
                // The next one starts the next beat.
                _ => return,
            }
        };
        let asked = Instant::now();
        let rows = shared.ask(gathered.keys().cloned().collect()).await;
        let rows = rows
            .map(|rows| rows.into_iter().map(|row| (row.system_key.clone(), row)).collect::<HashMap<_, _>>());
        if let Ok(rows) = &rows {
            let mut known = lock(&shared.known);
            for (name, row) in rows {
                known.insert(name.clone(), row.clone(), asked);
            }
        }
        for (name, askers) in gathered {
            let found = rows.as_ref().map(|rows| rows.get(&name).cloned()).map_err(Clone::clone);
            for asker in askers {
                // Who asked may be gone.
                let _ = asker.send(found.clone());
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

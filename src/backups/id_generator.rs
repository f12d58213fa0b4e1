//! Generates the ids of backups and backup requests: UUIDv7, strictly increasing within the process.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::domain::ids::next_after;

/// Generates ids. `uuidv7` alone is not monotonic inside a millisecond: half of the adjacent ids would be in the wrong order.
#[derive(Default)]
pub struct IdGenerator(Mutex<Uuid>);

impl IdGenerator {
    pub fn next(&self) -> Uuid {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = next_after(*last, Uuid::from_bytes(uuidv7::create_raw()));
        *last
    }
}

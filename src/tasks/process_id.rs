//! The id of a process, by which its lease and its uploads are known.

use uuid::Uuid;

/// Returns a new process id; each start of a process uses its own.
pub fn new_process_id() -> Uuid {
    Uuid::from_bytes(uuidv7::create_raw())
}

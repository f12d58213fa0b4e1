//! The room for part buffers, for all uploads of the process.
//!
//! Bodies of unknown length are gathered in memory, part by part, in buffers
//! that grow as they fill. All uploads share one cap. If room were given to
//! whoever asks first, many half-filled buffers could use it up and none could
//! be finished. So room is given only while, afterwards, at least one buffer
//! could still be filled with what is free: that one ends, gives its room back, and
//! the next can. The others wait, which pushes back on their clients.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Bytes for all part buffers together. The largest part is half of it.
pub(super) const CAP: usize = 64 << 20;

pub(super) struct Parts {
    room: Mutex<Room>,
    changed: Notify,
}

struct Room {
    free: usize,
    next: u64,
    /// What each buffer may still need.
    needs: BTreeMap<u64, usize>,
}

/// A buffer's room, given back when this is dropped.
pub(super) struct Claim {
    parts: Arc<Parts>,
    id: u64,
    held: usize,
    most: usize,
}

impl Parts {
    pub(super) fn new(cap: usize) -> Arc<Self> {
        let room = Mutex::new(Room { free: cap, next: 0, needs: BTreeMap::new() });
        Arc::new(Self { room, changed: Notify::new() })
    }

    /// For a buffer that may grow to `most` bytes. Holds nothing yet.
    pub(super) fn claim(self: &Arc<Self>, most: usize) -> Claim {
        let mut room = self.lock();
        room.next += 1;
        let id = room.next;
        drop(room);
        Claim { parts: Arc::clone(self), id, held: 0, most }
    }

    fn lock(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Waits until the buffer may have `bytes`.
    pub(super) async fn grow(&mut self, bytes: usize) {
        let parts = Arc::clone(&self.parts);
        loop {
            let mut changed = std::pin::pin!(parts.changed.notified());
            changed.as_mut().enable();
            if self.try_grow(bytes) {
                return;
            }
            changed.await;
        }
    }

    fn try_grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.held);
        let need = self.most.saturating_sub(bytes);
        let mut room = self.parts.lock();
        let Some(left) = room.free.checked_sub(more) else { return false };
        let others = room.needs.iter().filter(|(id, _)| **id != self.id).map(|(_, need)| *need).min();
        if need.min(others.unwrap_or(need)) > left {
            return false;
        }
        room.free = left;
        room.needs.insert(self.id, need);
        self.held += more;
        true
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut room = self.parts.lock();
        room.free += self.held;
        room.needs.remove(&self.id);
        drop(room);
        self.parts.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_buffer_can_always_be_filled() {
        let parts = Parts::new(100);
        let mut claims: Vec<_> = (0..30).map(|_| parts.claim(20)).collect();
        // All grow a little at a time, as long as they may.
        for bytes in 1..=20 {
            for claim in &mut claims {
                claim.try_grow(bytes);
            }
        }
        let full = claims.iter().filter(|claim| claim.held == 20).count();
        assert!(full >= 1, "{:?}", claims.iter().map(|claim| claim.held).collect::<Vec<_>>());
        assert!(claims.iter().map(|claim| claim.held).sum::<usize>() <= 100);
        // Each that is given back lets another one end.
        while !claims.is_empty() {
            let done = claims.iter_mut().position(|claim| claim.held == 20 || claim.try_grow(20)).unwrap();
            claims.swap_remove(done);
        }
        assert_eq!(parts.lock().free, 100);
        assert!(parts.lock().needs.is_empty());
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_room_comes_back() {
        let parts = Parts::new(10);
        let mut first = parts.claim(10);
        first.grow(10).await;
        let mut second = parts.claim(10);
        let wait = tokio::spawn(async move { second.grow(10).await });
        tokio::task::yield_now().await;
        drop(first);
        wait.await.unwrap();
        assert_eq!(parts.lock().free, 10);
    }
}

//! The memory for part buffers, shared by all uploads of the process.
//!
//! Bodies of unknown length are gathered in memory, part by part, in buffers that grow as they fill. All uploads share one
//! cap. If memory were granted first come, first served, many half-filled buffers could use it up and none could be
//! finished. So memory is granted only if, afterwards, at least one buffer can still be filled with what is free: that one
//! is sent, releases its memory, and the next can be filled. The others wait, which pushes back on their clients.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The memory for all part buffers together, in bytes. The largest part is half of it.
pub(super) const CAPACITY: usize = 64 << 20;

pub(super) struct PartMemory {
    budget: Mutex<Budget>,
    changed: Notify,
}

struct Budget {
    free: usize,
    next_id: u64,
    /// How many bytes each buffer may still need.
    needs: BTreeMap<u64, usize>,
}

/// The memory of one buffer, released when this is dropped.
pub(super) struct MemoryClaim {
    memory: Arc<PartMemory>,
    id: u64,
    held: usize,
    most: usize,
}

impl PartMemory {
    pub(super) fn new(cap: usize) -> Arc<Self> {
        let budget = Mutex::new(Budget { free: cap, next_id: 0, needs: BTreeMap::new() });
        Arc::new(Self { budget, changed: Notify::new() })
    }

    /// Returns a claim for a buffer that may grow to `most` bytes. It holds nothing yet.
    pub(super) fn claim(self: &Arc<Self>, most: usize) -> MemoryClaim {
        let mut budget = self.lock();
        budget.next_id += 1;
        let id = budget.next_id;
        drop(budget);
        MemoryClaim { memory: Arc::clone(self), id, held: 0, most }
    }

    fn lock(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryClaim {
    /// Waits until the buffer may have `bytes`.
    pub(super) async fn grow(&mut self, bytes: usize) {
        let memory = Arc::clone(&self.memory);
        loop {
            let mut changed = std::pin::pin!(memory.changed.notified());
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
        let mut budget = self.memory.lock();
        let Some(left) = budget.free.checked_sub(more) else { return false };
        let others = budget.needs.iter().filter(|(id, _)| **id != self.id).map(|(_, need)| *need).min();
        if need.min(others.unwrap_or(need)) > left {
            return false;
        }
        budget.free = left;
        budget.needs.insert(self.id, need);
        self.held += more;
        true
    }
}

impl Drop for MemoryClaim {
    fn drop(&mut self) {
        let mut budget = self.memory.lock();
        budget.free += self.held;
        budget.needs.remove(&self.id);
        drop(budget);
        self.memory.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_buffer_can_always_be_filled() {
        let memory = PartMemory::new(100);
        let mut claims: Vec<_> = (0..30).map(|_| memory.claim(20)).collect();
        // All buffers grow a little at a time, as far as they may.
        for bytes in 1..=20 {
            for claim in &mut claims {
                claim.try_grow(bytes);
            }
        }
        let full = claims.iter().filter(|claim| claim.held == 20).count();
        assert!(full >= 1, "{:?}", claims.iter().map(|claim| claim.held).collect::<Vec<_>>());
        assert!(claims.iter().map(|claim| claim.held).sum::<usize>() <= 100);
        // When a buffer is released, another one can be filled.
        while !claims.is_empty() {
            let done = claims.iter_mut().position(|claim| claim.held == 20 || claim.try_grow(20)).unwrap();
            claims.swap_remove(done);
        }
        assert_eq!(memory.lock().free, 100);
        assert!(memory.lock().needs.is_empty());
    }

    #[tokio::test]
    async fn a_waiting_buffer_grows_when_memory_is_released() {
        let memory = PartMemory::new(10);
        let mut first = memory.claim(10);
        first.grow(10).await;
        let mut second = memory.claim(10);
        let wait = tokio::spawn(async move { second.grow(10).await });
        tokio::task::yield_now().await;
        drop(first);
        wait.await.unwrap();
        assert_eq!(memory.lock().free, 10);
    }
}

//! Keeps the allocator from holding much more memory than is in use.
//!
//! By default it has up to eight heaps for each processor, and each of them keeps what its threads once needed. Two are enough:
//! threads that allocate at the same time rarely wait for each other.
//!
//! The allocator keeps freed memory. It returns the end of a heap by itself, but no free memory below a live allocation:
//! after thousands of connections have ended, that is nearly all that they used, for ever. So a thread checks regularly how
//! much memory is free, and returns all of it when it is much.

use std::io;
use std::time::{Duration, Instant};

use super::supervisor::{Period, SupervisedThread, Supervisor, TaskDefinition, ThreadTask};
use crate::telemetry::TaskFailure;

const CHECK_INTERVAL: Duration = Duration::from_secs(15);
const MAX_RUN: Duration = Duration::from_mins(1);
/// Memory is returned when at least this many bytes more are free than before. Less would soon be used again.
const MIN_RETURN: usize = 4 * 1024 * 1024;

/// The heaps that threads share.
const HEAPS: i32 = 2;

/// Limits the number of heaps. Has an effect only before there are threads.
pub fn limit_heaps() {
    allocator::limit_heaps(HEAPS);
}

/// The thread that returns memory. Dropping this stops it.
pub struct MemoryReturn {
    _thread: SupervisedThread,
}

impl MemoryReturn {
    pub fn start(supervisor: &Supervisor) -> io::Result<Self> {
        let task = TaskDefinition::new("memory", Period::SinceStart(CHECK_INTERVAL)).max_run(MAX_RUN);
        Ok(Self { _thread: supervisor.start_thread(task, FreeMemory::default)? })
    }
}

/// Decides when memory is returned.
#[derive(Default)]
struct FreeMemory {
    /// The fewest bytes that were free since memory was last returned. The allocator counts returned bytes as free, too.
    fewest: Option<usize>,
}

impl FreeMemory {
    fn is_due(&mut self, free: usize) -> bool {
        let fewest = self.fewest.map_or(free, |fewest| fewest.min(free));
        self.fewest = Some(fewest);
        free - fewest >= MIN_RETURN
    }
}

impl ThreadTask for FreeMemory {
    fn run_once(&mut self) -> Result<(), TaskFailure> {
        if self.is_due(allocator::free_bytes()) {
            let start = Instant::now();
            allocator::return_free_memory();
            log::debug!("returned free memory to the kernel in {:?}", start.elapsed());
            self.fewest = Some(allocator::free_bytes());
        }
        Ok(())
    }

    fn stop(self) {}
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the standard library does not know the allocator")]
mod allocator {
    pub(super) fn limit_heaps(count: i32) {
        // SAFETY: mallopt changes only the allocator's own parameters.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, count) };
    }

    /// Returns how many bytes are free in all heaps.
    pub(super) fn free_bytes() -> usize {
        // SAFETY: mallinfo2 has no arguments, and takes the allocator's locks itself.
        unsafe { libc::mallinfo2() }.fordblks
    }

    pub(super) fn return_free_memory() {
        // SAFETY: malloc_trim touches no memory that is in use, and takes the allocator's locks itself.
        unsafe { libc::malloc_trim(0) };
    }
}

/// Other allocators have no such calls.
#[cfg(not(target_env = "gnu"))]
mod allocator {
    pub(super) fn limit_heaps(_count: i32) {}

    pub(super) fn free_bytes() -> usize {
        0
    }

    pub(super) fn return_free_memory() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_returned_when_much_more_is_free_than_at_any_time_since_the_last_return() {
        const MIB: usize = 1024 * 1024;
        let mut memory = FreeMemory::default();
        let checks = [(40, false), (43, false), (30, false), (33, false), (34, true), (90, true)];
        for (free, due) in checks {
            assert_eq!(memory.is_due(free * MIB), due, "{free} MiB free");
        }
        memory.fewest = Some(98 * MIB);
        assert!(!memory.is_due(100 * MIB), "returned memory counts as free");
        assert!(!memory.is_due(20 * MIB));
        assert!(memory.is_due(90 * MIB), "it was used in between");
    }
}

//! Returns free memory to the kernel.
//!
//! The allocator keeps what is freed. It returns the end of a heap by itself, and nothing that lies before an allocation
//! that lives: after thousands of connections have ended, that is nearly all of what they used, for ever. So a thread
//! looks now and then, and has all of it returned when it is worth it.

use std::io;
use std::time::{Duration, Instant};

use super::repeating::{Repeated, RepeatingThread};

const CHECK_INTERVAL: Duration = Duration::from_secs(15);
/// So many bytes more than before have to be free. Less is soon used again.
const WORTH_IT: usize = 16 * 1024 * 1024;

/// Stops when it is dropped.
pub struct MemoryReturn {
    _thread: RepeatingThread,
}

impl MemoryReturn {
    pub fn start() -> io::Result<Self> {
        Ok(Self { _thread: RepeatingThread::start("memory", Watch::default())? })
    }
}

/// Decides when it is worth it.
#[derive(Default)]
struct Watch {
    /// The fewest bytes that were free since memory was last returned: what was returned counts as free, too.
    fewest: Option<usize>,
}

impl Watch {
    fn is_due(&mut self, free: usize) -> bool {
        let fewest = self.fewest.map_or(free, |fewest| fewest.min(free));
        self.fewest = Some(fewest);
        free - fewest >= WORTH_IT
    }
}

impl Repeated for Watch {
    fn run(&mut self) -> Duration {
        if self.is_due(allocator::free_bytes()) {
            let start = Instant::now();
            allocator::return_free_memory();
            log::debug!("returned free memory to the kernel in {:?}", start.elapsed());
            self.fewest = Some(allocator::free_bytes());
        }
        CHECK_INTERVAL
    }

    fn end(self) {}
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the standard library does not know the allocator")]
mod allocator {
    /// In all its heaps.
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
        let mut watch = Watch::default();
        let looks = [(40, false), (50, false), (30, false), (45, false), (46, true), (90, true)];
        for (free, due) in looks {
            assert_eq!(watch.is_due(free * MIB), due, "{free} MiB free");
        }
        watch.fewest = Some(90 * MIB);
        assert!(!watch.is_due(100 * MIB), "what was returned counts as free");
        assert!(!watch.is_due(20 * MIB));
        assert!(watch.is_due(90 * MIB), "it was used in between");
    }
}

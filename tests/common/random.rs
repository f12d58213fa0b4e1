//! Random values that a seed repeats.

use std::time::Duration;

/// A generator (SplitMix64) and the choices that tests make with it.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// Takes the seed from this environment variable, or a new one, and prints it so that a failing test can be
    /// repeated.
    pub fn seeded(variable: &str) -> Self {
        let given = std::env::var(variable).ok();
        let seed = given.map_or_else(new_seed, |text| text.parse().expect("a seed is a number"));
        println!("{variable}={seed}");
        Self::new(seed)
    }

    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns another generator, whose values do not depend on how many this one makes.
    pub fn fork(&mut self) -> Self {
        Self::new(self.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns one of `0..end`; `end` is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len + 8);
        while out.len() < len {
            out.extend_from_slice(&self.next().to_le_bytes());
        }
        out.truncate(len);
        out
    }

    pub fn bytes_up_to(&mut self, longest: usize) -> Vec<u8> {
        let len = self.below(longest + 1);
        self.bytes(len)
    }

    /// Returns up to `most` of these pieces, with random bytes between some of them.
    pub fn mix(&mut self, pieces: &[&str], most: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..self.below(most + 1) {
            out.extend_from_slice(self.pick(pieces).as_bytes());
            if self.one_in(6) {
                out.extend(self.bytes_up_to(2));
            }
        }
        out
    }
}

/// Returns the same bytes for the same seed; a missing, doubled or misplaced piece can be noticed.
pub fn content(seed: u64, len: usize) -> Vec<u8> {
    Random::new(seed).bytes(len)
}

fn new_seed() -> u64 {
    uuid::Uuid::now_v7().as_u64_pair().1 & 0xFFFF_FFFF
}

/// Returns the duration in this environment variable, in seconds.
pub fn seconds(variable: &str, default: u64) -> Duration {
    let given = std::env::var(variable).ok().map(|text| text.parse().expect("a number of seconds"));
    Duration::from_secs(given.unwrap_or(default))
}

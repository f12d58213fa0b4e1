//! Choices that look random and can be made again.

use std::time::Duration;

/// xorshift64*: small, and good enough to choose.
pub struct Random(u64);

impl Random {
    /// From the seed in this variable, or a new one. Says which, for a failing test to be repeated with.
    pub fn seeded(variable: &str) -> Self {
        let given = std::env::var(variable).ok();
        let seed = given.map_or_else(fresh, |text| text.parse().expect("a seed is a number"));
        println!("{variable}={seed}");
        Self::new(seed)
    }

    pub fn new(seed: u64) -> Self {
        let mut this = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        this.next();
        this
    }

    /// Another one, whose choices do not depend on how many this one makes.
    pub fn fork(&mut self) -> Self {
        Self::new(self.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// One of 0 to `end` - 1; `end` is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a small number");
        usize::try_from((self.next() >> 11) % end).expect("a small number")
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len + 8);
        while out.len() < len {
            out.extend_from_slice(&self.next().to_le_bytes());
        }
        out.truncate(len);
        out
    }
}

fn fresh() -> u64 {
    uuid::Uuid::now_v7().as_u64_pair().1 & 0xFFFF_FFFF
}

/// A length of time in this variable, in seconds.
pub fn seconds(variable: &str, default: u64) -> Duration {
    let given = std::env::var(variable).ok().map(|text| text.parse().expect("a number of seconds"));
    Duration::from_secs(given.unwrap_or(default))
}

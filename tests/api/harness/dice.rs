//! Chance that can be had again: everything follows from one number.

/// A generator (SplitMix64) and the choices that tests make with it.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// One of `0..end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).expect("below a usize")
    }

    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    pub fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let length = self.below(longest + 1);
        (0..length).map(|_| self.number().to_le_bytes()[0]).collect()
    }

    /// A few pieces of these, one behind the other, with a byte of anything in between now and then.
    pub fn mix(&mut self, pieces: &[&str], most: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..self.below(most + 1) {
            out.extend_from_slice(self.pick(pieces).as_bytes());
            if self.one_in(6) {
                out.extend(self.bytes(2));
            }
        }
        out
    }
}

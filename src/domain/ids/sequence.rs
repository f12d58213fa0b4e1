//! Strictly increasing `UUIDv7`s.
//!
//! The generator's ids are in no order within a millisecond, and the clock may be set back. A process that remembers its last
//! id and uses [`next_after`] makes ids that sort in the order in which they were made.

use uuid::Uuid;

/// The number of random bits after the variant (RFC 9562, 5.7: `rand_b`).
const RAND_B: u32 = 62;
/// The number of random bits after the version (`rand_a`).
const RAND_A: u32 = 12;

const RAND_B_MASK: u128 = (1 << RAND_B) - 1;
const RAND_A_MASK: u128 = (1 << RAND_A) - 1;
/// The positions of `rand_a` and of the timestamp, counted from the lowest bit.
const RAND_A_AT: u32 = 64;
const TIME_AT: u32 = 80;
/// The bits that the count skips: 4 of the version, 2 of the variant.
const FIXED: u128 = (0xf << 76) | (0b11 << RAND_B);

/// Returns the id that follows `last`: `candidate` if it is greater than `last`, else the smallest id that is greater and has
/// the version and variant of `last`. The count runs over `rand_b`, carries into `rand_a` and from there into the timestamp.
///
/// The result is always greater than `last`, except after the greatest id (all bits set: the year 10889). Then the count
/// begins again at zero.
#[must_use]
pub fn next_after(last: Uuid, candidate: Uuid) -> Uuid {
    if candidate > last {
        return candidate;
    }
    let last = last.as_u128();
    let time = last >> TIME_AT;
    let rand_a = (last >> RAND_A_AT) & RAND_A_MASK;
    let rand_b = last & RAND_B_MASK;
    let counted = (((time << RAND_A) | rand_a) << RAND_B | rand_b) + 1;
    let rand_b = counted & RAND_B_MASK;
    let rand_a = (counted >> RAND_B) & RAND_A_MASK;
    // Moves the timestamp back to its position. An overflow beyond its 48 bits is lost.
    let time = (counted >> (RAND_B + RAND_A)) << TIME_AT;
    Uuid::from_u128(time | (rand_a << RAND_A_AT) | rand_b | (last & FIXED))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> Uuid {
        Uuid::parse_str(text).unwrap()
    }

    #[test]
    fn the_carry_goes_round_the_fixed_bits() {
        for (last, next) in [
            ("018f3a5c-7b1e-7c3d-9a2b-0123456789ab", "018f3a5c-7b1e-7c3d-9a2b-0123456789ac"),
            ("018f3a5c-7b1e-7c3d-bfff-ffffffffffff", "018f3a5c-7b1e-7c3e-8000-000000000000"),
            ("018f3a5c-7b1e-7fff-bfff-ffffffffffff", "018f3a5c-7b1f-7000-8000-000000000000"),
            ("ffffffff-ffff-7fff-bfff-ffffffffffff", "00000000-0000-7000-8000-000000000000"),
        ] {
            assert_eq!(next_after(id(last), id(last)), id(next));
            assert_eq!(next_after(id(last), Uuid::nil()), id(next));
        }
    }

    #[test]
    fn a_greater_candidate_is_taken_as_it_is() {
        let last = id("018f3a5c-7b1e-7c3d-9a2b-0123456789ab");
        let later = id("018f3a5c-7b1f-7000-8000-000000000000");
        assert_eq!(next_after(last, later), later);
        assert_eq!(next_after(Uuid::nil(), last), last);
    }

    fn v7() -> impl Strategy<Value = Uuid> {
        // Random bits, and runs of ones at the low end, where carries are.
        (any::<u128>(), 0..=128_u32).prop_map(|(bits, ones)| {
            let run = if ones == 128 { u128::MAX } else { (1 << ones) - 1 };
            uuid::Builder::from_u128(bits | run)
                .with_version(uuid::Version::SortRand)
                .with_variant(uuid::Variant::RFC4122)
                .into_uuid()
        })
    }

    proptest! {
        #[test]
        fn always_greater_and_still_a_v7(last in v7(), candidate in v7()) {
            prop_assume!(last != id("ffffffff-ffff-7fff-bfff-ffffffffffff"));
            let next = next_after(last, candidate);
            prop_assert!(next > last);
            prop_assert_eq!(next.get_version_num(), 7);
            prop_assert_eq!(next.get_variant(), uuid::Variant::RFC4122);
            prop_assert!(next == candidate || candidate <= last);
        }
    }
}

//! Numbers that look random and follow from a seed.
//!
//! A run has to be repeatable: the same seed makes the same archives and the same trace, in every version of this
//! program. That is why this is not a crate's default generator, whose numbers may change with its version.

/// `SplitMix64` (Steele, Lea and Flood 2014): one addition and three mixing steps for each number.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// A sequence of its own for every seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to `end`, exclusive; 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The upper half of a product of 128 bits: as even as 64 bits can be, without a division.
        let product = u128::from(self.next()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A place in a list of so many; 0 when it is empty.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// One of the elements.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn pick<'a, T>(&mut self, elements: &'a [T]) -> &'a T {
        &elements[self.index(elements.len())]
    }

    /// From 0 up to 1, exclusive, with 53 bits.
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits are all that an f64 holds"
    )]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// So many upper-case hexadecimal digits, at most 32.
    pub(crate) fn hexadecimal(&mut self, digits: usize) -> String {
        let mut text = format!("{:016X}{:016X}", self.next(), self.next());
        text.truncate(digits);
        text
    }

    /// Puts the elements into any order, each with the same chance (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, elements: &mut [T]) {
        for end in (1..elements.len()).rev() {
            elements.swap(end, self.index(end + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_makes_the_same_numbers() {
        // The first numbers of the published algorithm for the seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_keep_their_bounds_and_use_them() {
        let mut random = Random::new(1);
        let mut seen = [0_u32; 5];
        for _ in 0..5000 {
            seen[random.index(5)] += 1;
            assert!((0.0..1.0).contains(&random.unit()));
        }
        assert!(
            seen.iter().all(|count| (900..1100).contains(count)),
            "{seen:?}"
        );
        assert_eq!(random.below(0), 0);
        assert_eq!(random.hexadecimal(7).len(), 7);
    }

    #[test]
    fn shuffling_keeps_every_element() {
        let mut elements: Vec<u32> = (0..100).collect();
        Random::new(3).shuffle(&mut elements);
        assert_ne!(elements[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        elements.sort_unstable();
        assert_eq!(elements, (0..100).collect::<Vec<_>>());
    }
}

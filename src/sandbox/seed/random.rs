//! Numbers that look random and are the same on every machine: SplitMix64 from a fixed seed.

pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly from 0 to `bound`, without it; a bound of 0 counts as 1.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The upper half scaled to the bound: as even as it has to be here.
        let scaled = ((mixed >> 32) * u64::from(bound.max(1))) >> 32;
        u32::try_from(scaled).unwrap_or_default()
    }

    pub(super) fn percent(&mut self, chance: u32) -> bool {
        self.below(100) < chance
    }

    /// One of the list; nothing of an empty one.
    pub(super) fn pick<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        let bound = u32::try_from(list.len()).unwrap_or(u32::MAX);
        list.get(self.below(bound) as usize).copied()
    }

    /// One word, or nothing of an empty list.
    pub(super) fn word<'a>(&mut self, words: &[&'a str]) -> &'a str {
        self.pick(words).unwrap_or_default()
    }
}

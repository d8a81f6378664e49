//! Random numbers that are the same on every machine: SplitMix64 with a fixed seed.

pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A uniform number from 0 to `limit`, exclusive; a limit of 0 counts as 1.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // Scales the upper half to the limit, which is uniform enough here.
        let scaled = ((mixed >> 32) * u64::from(limit.max(1))) >> 32;
        u32::try_from(scaled).unwrap_or_default()
    }

    /// True in `chance` of 100 cases.
    pub(super) fn percent(&mut self, chance: u32) -> bool {
        self.below(100) < chance
    }

    /// One of the items; `None` if there are none.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        items.get(self.below(count) as usize).copied()
    }

    /// One of the words; empty if there are none.
    pub(super) fn word<'a>(&mut self, words: &[&'a str]) -> &'a str {
        self.pick(words).unwrap_or_default()
    }
}

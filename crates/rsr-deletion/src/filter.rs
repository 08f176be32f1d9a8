//! A counting filter: says "surely not tracked" from one load.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::sync::{AtomicU32, Ordering};

/// A power of two. With 20 ids tracked, one lookup in a hundred of other ids goes on to the map.
#[cfg(not(rsr_loom))]
const SLOTS: usize = 2048;
#[cfg(rsr_loom)]
const SLOTS: usize = 2;

/// Counts tracked ids by hash. 8 KiB.
pub(crate) struct Filter {
    slots: Box<[AtomicU32]>,
}

impl Filter {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    #[inline]
    fn slot(&self, hash: u64) -> &AtomicU32 {
        // The upper bits of a product are its best.
        let index = usize::try_from(hash >> (64 - SLOTS.ilog2())).unwrap_or(0);
        &self.slots[index & (SLOTS - 1)]
    }

    /// Counts an id; called before it is tracked.
    pub(crate) fn add(&self, hash: u64) {
        self.slot(hash).fetch_add(1, Ordering::AcqRel);
    }

    /// Uncounts an id; called after it is no longer tracked.
    pub(crate) fn remove(&self, hash: u64) {
        self.slot(hash).fetch_sub(1, Ordering::AcqRel);
    }

    /// False where no id of this hash is tracked.
    #[inline]
    pub(crate) fn may_contain(&self, hash: u64) -> bool {
        self.slot(hash).load(Ordering::Acquire) != 0
    }
}

/// One multiplication for a number. For ids that the database hands out, not for text from outside.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdHasher(u64);

pub(crate) type IdHashing = BuildHasherDefault<IdHasher>;

impl IdHasher {
    #[inline]
    pub(crate) fn of<Id: Hash>(id: Id) -> u64 {
        let mut hasher = Self::default();
        id.hash(&mut hasher);
        hasher.0
    }

    #[inline]
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk
                .iter()
                .fold(0, |word, byte| (word << 8) | u64::from(*byte));
            self.mix(word ^ ((chunk.len() as u64) << 56));
        }
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    #[inline]
    fn write_i64(&mut self, word: i64) {
        self.mix(word.cast_unsigned());
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

//! How many entries have expired, without looking at them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::entry::{NEVER, Nanos};

const SLOTS: usize = 32;
const SPANS: usize = 3;
/// The span of entries that are not counted: their deadline is too far away.
pub(crate) const UNCOUNTED: u8 = 3;

/// A histogram of deadlines with a fixed number of counters.
///
/// Three rings of 32 slots; a slot of a ring covers 32 times the time of a slot in the ring before. An entry is counted
/// in the finest ring that reaches its deadline, and keeps that ring's number in its stamp, so that its removal finds
/// the same slot again. A slot that is taken over by a later stretch of time leaves its count to `overdue`.
///
/// The number of expired entries is the sum over the slots that are over. Of the one slot in which "now" lies nothing
/// counts before its last entry has expired: the number is never too high, and too low by at most what expires within a
/// slot, a sixteenth of the ttl.
#[derive(Debug)]
pub(crate) struct Expiry {
    slot_ns: u64,
    rings: [Ring; SPANS],
    /// Entries of stretches that have lost their slot: long expired, not yet removed.
    overdue: AtomicI64,
}

#[derive(Debug, Default)]
struct Ring {
    slots: [Slot; SLOTS],
}

/// The number of a stretch of time in the upper half, the entries that die in it in the lower.
#[derive(Debug, Default)]
struct Slot {
    word: AtomicU64,
    last_deadline: AtomicU64,
}

fn pack(stretch: u64, count: u64) -> u64 {
    (stretch << 32) | (count & 0xFFFF_FFFF)
}

impl Expiry {
    /// A histogram whose finest ring reaches two times `ttl` ahead.
    pub(crate) fn new(ttl: Option<Duration>) -> Self {
        let ttl = ttl.unwrap_or(Duration::from_secs(600)).as_nanos();
        let slot_ns = u64::try_from(ttl / 16).unwrap_or(u64::MAX);
        Self {
            // Below the upper bound three rings span the range of deadlines; above the lower, numbers fit 32 bits for years.
            slot_ns: slot_ns.clamp(1 << 24, 1 << 50),
            rings: Default::default(),
            overdue: AtomicI64::new(0),
        }
    }

    fn slot_ns(&self, span: usize) -> u64 {
        self.slot_ns << (5 * span)
    }

    /// The ring that counts an entry written `now` with this deadline.
    pub(crate) fn span_of(&self, now: Nanos, deadline: Nanos) -> u8 {
        if deadline >= NEVER {
            return UNCOUNTED;
        }
        let reaches = |span: &u8| {
            let slot_ns = self.slot_ns(usize::from(*span));
            deadline / slot_ns < now / slot_ns + SLOTS as u64
        };
        (0..UNCOUNTED).find(reaches).unwrap_or(UNCOUNTED)
    }

    fn place(&self, span: u64, deadline: Nanos) -> Option<(&Slot, u64)> {
        let span = usize::try_from(span).ok().filter(|span| *span < SPANS)?;
        let stretch = deadline / self.slot_ns(span);
        let index = usize::try_from(stretch % SLOTS as u64).ok()?;
        // The number of a stretch wraps after 2³² of them: two years of the shortest, centuries of an hour's ttl.
        Some((&self.rings[span].slots[index], stretch & 0xFFFF_FFFF))
    }

    pub(crate) fn add(&self, span: u64, deadline: Nanos) {
        let Some((slot, stretch)) = self.place(span, deadline) else {
            return;
        };
        let mut word = slot.word.load(Ordering::Relaxed);
        loop {
            let is_same = word >> 32 == stretch;
            let count = word & 0xFFFF_FFFF;
            let next = pack(stretch, if is_same { count + 1 } else { 1 });
            match slot
                .word
                .compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => {
                    if !is_same {
                        self.overdue
                            .fetch_add(i64::try_from(count).unwrap_or(0), Ordering::Relaxed);
                        slot.last_deadline.store(deadline, Ordering::Relaxed);
                    } else if slot.last_deadline.load(Ordering::Relaxed) < deadline {
                        slot.last_deadline.fetch_max(deadline, Ordering::Relaxed);
                    }
                    return;
                }
                Err(now) => word = now,
            }
        }
    }

    pub(crate) fn remove(&self, span: u64, deadline: Nanos) {
        let Some((slot, stretch)) = self.place(span, deadline) else {
            return;
        };
        let less = |word: u64| (word >> 32 == stretch && word & 0xFFFF_FFFF > 0).then(|| word - 1);
        if slot
            .word
            .try_update(Ordering::AcqRel, Ordering::Relaxed, less)
            .is_err()
        {
            self.overdue.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Entries whose deadline is `now` or before. Looks at a fixed number of counters.
    pub(crate) fn expired(&self, now: Nanos) -> u64 {
        let mut expired = u64::try_from(self.overdue.load(Ordering::Relaxed)).unwrap_or(0);
        for (span, ring) in self.rings.iter().enumerate() {
            let slot_ns = self.slot_ns(span);
            for slot in &ring.slots {
                let word = slot.word.load(Ordering::Acquire);
                let count = word & 0xFFFF_FFFF;
                let start = (word >> 32).saturating_mul(slot_ns);
                if count == 0 || start > now {
                    continue;
                }
                if now - start >= slot_ns || slot.last_deadline.load(Ordering::Relaxed) <= now {
                    expired += count;
                }
            }
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use rsr_testkit::Seeded;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn entries_written_together_expire_together() {
        let expiry = Expiry::new(Some(Duration::from_secs(100)));
        for _ in 0..10 {
            let deadline = 100 * SECOND;
            expiry.add(expiry.span_of(0, deadline).into(), deadline);
        }
        assert_eq!(expiry.expired(100 * SECOND - 1), 0);
        assert_eq!(expiry.expired(100 * SECOND), 10);
        assert_eq!(expiry.expired(1_000_000 * SECOND), 10);
    }

    #[test]
    fn the_count_is_at_most_a_slot_off_and_exact_long_after() {
        let mut random = Seeded::new(7);
        let expiry = Expiry::new(Some(Duration::from_secs(160)));
        let mut live: Vec<(u64, u64)> = Vec::new();
        let mut now = 0;
        for _ in 0..20_000 {
            now += random.below(SECOND);
            let ttl = if random.one_in(10) { 40_000 } else { 160 } * SECOND;
            let span = expiry.span_of(now, now + ttl).into();
            expiry.add(span, now + ttl);
            live.push((span, now + ttl));
            if live.len() > 500 {
                let index = usize::try_from(random.below(500)).unwrap();
                let (span, deadline) = live.swap_remove(index);
                expiry.remove(span, deadline);
            }
            let slot = 10 * SECOND * 32;
            let surely = live
                .iter()
                .filter(|(_, deadline)| deadline + slot <= now)
                .count() as u64;
            let perhaps = live
                .iter()
                .filter(|(_, deadline)| *deadline <= now + slot)
                .count() as u64;
            let counted = expiry.expired(now);
            assert!(
                (surely..=perhaps).contains(&counted),
                "{surely} {counted} {perhaps}"
            );
        }
        assert_eq!(expiry.expired(now + 1_000_000 * SECOND), live.len() as u64);
        for (span, deadline) in live {
            expiry.remove(span, deadline);
        }
        assert_eq!(expiry.expired(now + 1_000_000 * SECOND), 0);
    }

    #[test]
    fn what_never_expires_is_not_counted() {
        let expiry = Expiry::new(None);
        assert_eq!(expiry.span_of(0, NEVER), UNCOUNTED);
        expiry.add(UNCOUNTED.into(), NEVER);
        assert_eq!(expiry.expired(NEVER), 0);
    }
}

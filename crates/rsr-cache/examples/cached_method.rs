//! A method behind a cache: the attribute, the identity it asks for, invalidation by tag, and what the cache tells.
#![expect(
    clippy::print_stdout,
    clippy::missing_assert_message,
    reason = "it shows something"
)]

use std::sync::atomic::{AtomicU32, Ordering};

use rsr_cache::cached;

/// A report that is dear to make.
struct Report {
    id: u64,
    amounts: Vec<i64>,
    n_computed: AtomicU32,
}

impl Report {
    fn new(id: u64, amounts: Vec<i64>) -> Self {
        Self {
            id,
            amounts,
            n_computed: AtomicU32::new(0),
        }
    }

    /// The sum of what is at least `least`. The key is the report's id and the argument: two reports never share an
    /// answer, even where one lies in memory where the other was.
    #[cached(key = self.id, ttl = "10m", max_size = 1_000, tag = format!("report:{}", self.id))]
    fn sum_from(&self, least: i64) -> i64 {
        self.n_computed.fetch_add(1, Ordering::Relaxed);
        self.amounts.iter().filter(|amount| **amount >= least).sum()
    }
}

fn main() {
    let mut report = Report::new(7, vec![5, 10, 20]);
    assert_eq!(report.sum_from(10), 30);
    assert_eq!(report.sum_from(10), 30);
    assert_eq!(
        report.n_computed.load(Ordering::Relaxed),
        1,
        "the second answer was kept"
    );

    let other = Report::new(8, vec![1]);
    assert_eq!(other.sum_from(0), 1);

    // What was derived from report 7 goes, in this cache and, through a registry, in all others.
    report.amounts.push(100);
    let n_dropped = Report::sum_from_cache().invalidate_tag("report:7");
    assert_eq!((report.sum_from(10), n_dropped), (130, 1));

    let stats = Report::sum_from_cache().stats();
    println!(
        "{} entries, {} hits, {} misses",
        stats.size, stats.n_hits, stats.n_misses
    );
}

//! What rayon gains: the same work on one thread and on all of them, with the same results.

use rayon::iter::ParallelIterator as _;
use rayon::slice::ParallelSliceMut as _;
use rsr_aggregation::{Hundredths, Measure, Numbers, PeriodTooLarge, Rollup, Total};
use rsr_base::PeriodId;
use rsr_hierarchy::Forest;
use rsr_testkit::Seeded;

use super::{Bench, Links, N, Timer, middle};

/// The pass over many trees of percentages, the derivation of their totals, and the sorting of ids at loading.
pub(super) fn compare(bench: &Bench, links: &Links) {
    let (mut serial, _) = Rollup::new(links.iter().copied()).expect("a million fits");
    let all = links
        .iter()
        .map(|&(period, _)| (period, Measure::Percentage));
    serial.set_measures(all);
    let mut seeded = Seeded::new(5);
    let pairs: Vec<Numbers> = (0..N).map(|_| pair(&mut seeded)).collect();
    let fill = |rollup: &mut Rollup| {
        for (index, own) in (0..N).zip(&pairs) {
            rollup.set_own_at(index, true, own);
        }
    };
    fill(&mut serial);
    let mut parallel = serial.clone();
    let mut rounds = Vec::new();
    for _ in 0..=bench.rounds {
        fill(&mut serial);
        fill(&mut parallel);
        let before = bench.now(Timer::Wall);
        serial.run().expect("small numbers fit");
        let between = bench.now(Timer::Wall);
        parallel.run_parallel().expect("small numbers fit");
        rounds.push((bench.now(Timer::Wall) - between, between - before));
    }
    assert_eq!(
        digest(serial.totals()),
        par_digest(&parallel),
        "the same totals"
    );
    bench.print_pair("parallel-pass", middle(rounds), "one thread");

    let times = bench.in_turn(
        Timer::Wall,
        || par_digest(&serial),
        || digest(serial.totals()),
    );
    bench.print_pair("parallel-totals", times, "one thread");

    let mut scattered = links.clone();
    for (id, parent) in &mut scattered {
        *id = scatter(*id);
        *parent = parent.map(scatter);
    }
    // Sorted by rayon first, what is built finds its ids in order.
    let times = bench.in_turn(
        Timer::Wall,
        || {
            let mut nodes = scattered.clone();
            nodes.par_sort_by_key(|&(id, _)| id);
            Forest::build(nodes).is_ok()
        },
        || Forest::build(scattered.clone()).is_ok(),
    );
    bench.print_pair("parallel-loading", times, "one thread");
}

fn scatter(id: PeriodId) -> PeriodId {
    PeriodId(id.0.wrapping_mul(0x5851_F42D_4C95_7F2D))
}

fn pair(seeded: &mut Seeded) -> Numbers {
    let mut number = || {
        Some(Hundredths::from_hundredths(i128::from(
            seeded.below(1_000_000),
        )))
    };
    Numbers {
        value: None,
        numerator: number(),
        denominator: number(),
    }
}

/// A number that tells totals from others, in any order.
fn digest(totals: impl Iterator<Item = Result<(PeriodId, Total), PeriodTooLarge>>) -> i128 {
    totals.map(digest_of).fold(0, i128::wrapping_add)
}

fn par_digest(rollup: &Rollup) -> i128 {
    rollup
        .par_totals()
        .map(digest_of)
        .reduce(|| 0, i128::wrapping_add)
}

fn digest_of(total: Result<(PeriodId, Total), PeriodTooLarge>) -> i128 {
    let (period, Total { numbers, .. }) = total.expect("small numbers fit");
    let number = |number: Option<Hundredths>| number.map_or(-1, Hundredths::hundredths);
    number(numbers.value)
        .wrapping_add(number(numbers.numerator).wrapping_mul(3))
        .wrapping_add(number(numbers.denominator).wrapping_mul(5))
        .wrapping_mul(i128::from(period.0) + 1)
}

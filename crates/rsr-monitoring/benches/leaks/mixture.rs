//! A second set of labelled series, of another making.
//!
//! Where `series` gives each series one thing that happens to it, this one mixes: a service has a day with a weekend, a
//! cache that follows the load late, jobs, restarts of parts, noise of several memories, and may leak beside all that.
//! Steps, lengths, units missing and sizes differ too.

use crate::series::{Labelled, Random};

/// What rules a series, for the table; the rest is there as well, smaller.
const HEALTHY: [&str; 12] = [
    "mix-quiet",
    "mix-wander",
    "mix-bursts",
    "mix-saw",
    "mix-saw-hours",
    "mix-week",
    "mix-steps",
    "mix-plateau",
    "mix-late-cache",
    "mix-known-cache",
    "mix-holes",
    "mix-nightly",
];
const LEAKING: [&str; 6] = [
    "mix-leak",
    "mix-leak-by-load",
    "mix-leak-in-lumps",
    "mix-leak-late",
    "mix-leak-faster",
    "mix-leak-and-saw",
];

/// `n` series, half of which leak.
pub(crate) fn generate(seed: u64, n: usize) -> Vec<Labelled> {
    (0..n)
        .map(|place| {
            let mut random = Random::new(seed ^ (place as u64).wrapping_mul(0xd134_2543_de82_ef95));
            let kind = if place % 2 == 0 {
                HEALTHY[place / 2 % HEALTHY.len()]
            } else {
                LEAKING[place / 2 % LEAKING.len()]
            };
            make(&mut random, kind)
        })
        .collect()
}

fn pick<T: Copy>(random: &mut Random, from: &[T]) -> T {
    from[(random.unit() * from.len() as f64) as usize % from.len()]
}

/// A value that is pulled back to 0 and pushed by chance: sigma is its size, `hours` its memory.
struct Pulled {
    value: f64,
    sigma: f64,
    hours: f64,
}

impl Pulled {
    fn new(sigma: f64, hours: f64) -> Self {
        Self {
            value: 0.0,
            sigma,
            hours,
        }
    }

    fn next(&mut self, random: &mut Random, dt: f64) -> f64 {
        let keep = (-dt / self.hours).exp();
        self.value = self.value * keep + self.sigma * (1.0 - keep * keep).sqrt() * random.normal();
        self.value
    }
}

fn make(random: &mut Random, kind: &'static str) -> Labelled {
    let leaks = kind.starts_with("mix-leak");
    let step_s = pick(random, &[30.0, 60.0, 120.0, 300.0, 600.0, 900.0]);
    let hours = pick(random, &[24.0, 36.0, 36.0, 36.0, 48.0, 72.0]);
    let dt = step_s / 3600.0;
    let n = (hours / dt) as usize;
    let base = random.scale(25.0, 4000.0);
    let is = |name: &str| kind == name;

    // The load: a day, a weekend that is quieter, and weather.
    let mean = random.scale(2.0, 400.0);
    let day = if is("mix-week") {
        random.within(0.4, 0.8)
    } else {
        random.within(0.0, 0.35)
    };
    let peak_hour = random.within(0.0, 24.0);
    let weekend_at = random.within(-24.0, 72.0);
    let mut weather = Pulled::new(random.within(0.02, 0.12), random.within(0.2, 2.0));
    let load: Vec<f64> = (0..n)
        .map(|place| {
            let at = place as f64 * dt;
            let hour = (at - peak_hour) * std::f64::consts::TAU / 24.0;
            // Office hours: flatter at night than a sine is.
            let shape = (hour.cos() + 0.35 * (2.0 * hour).cos()) / 1.35;
            let weekend = if (0.0..48.0).contains(&(at - weekend_at)) {
                0.55
            } else {
                1.0
            };
            (mean * weekend * (1.0 + day * shape) * (1.0 + weather.next(random, dt))).max(0.0)
        })
        .collect();

    // What answers hold while they are made, and a cache that follows the load late.
    let live_share = if is("mix-week") {
        random.within(0.05, 0.25)
    } else {
        random.within(0.0, 0.04)
    };
    let late_share = if is("mix-late-cache") {
        random.within(0.08, 0.3)
    } else {
        random.within(0.0, 0.03)
    };
    let late_hours = random.within(0.4, 2.5);
    let mut late = load.first().copied().unwrap_or(0.0) / mean;

    let mut fast = Pulled::new(base * random.scale(0.001, 0.02), random.within(0.02, 0.2));
    let (slow_sigma, slow_hours) = if is("mix-wander") {
        (random.within(0.015, 0.06), random.within(2.0, 7.0))
    } else {
        (random.within(0.0, 0.004), random.within(0.4, 3.0))
    };
    let mut slow = Pulled::new(base * slow_sigma, slow_hours);

    let burst_rate = if is("mix-bursts") {
        random.within(0.15, 0.8)
    } else {
        random.within(0.0, 0.06)
    };
    let burst_size = base * random.within(0.05, 0.35);
    let burst_hours = random.within(0.25, 1.8);
    let mut burst = 0.0;

    let saw_size = match kind {
        "mix-saw" | "mix-saw-hours" => base * random.within(0.06, 0.5),
        "mix-leak-and-saw" => base * random.within(0.05, 0.25),
        _ => 0.0,
    };
    let saw_hours = if is("mix-saw-hours") {
        random.within(4.0, 9.0)
    } else {
        random.within(0.15, 2.5)
    };
    let mut tooth = random.unit();
    let mut tooth_hours = saw_hours;

    let n_steps = if is("mix-steps") {
        1 + (random.unit() * 4.0) as usize
    } else {
        usize::from(random.chance(0.1))
    };
    let steps: Vec<(f64, f64)> = (0..n_steps)
        .map(|_| {
            let size = base * random.within(0.04, 0.3);
            let sign = if random.chance(0.25) { -0.5 } else { 1.0 };
            (random.within(0.05, 0.95) * hours, sign * size)
        })
        .collect();

    let (full, fill_hours) = if is("mix-plateau") {
        (base * random.within(0.1, 0.9), random.within(0.4, 4.5))
    } else {
        (base * random.within(0.0, 0.1), random.within(0.05, 0.4))
    };
    let known = (is("mix-known-cache") || random.chance(0.2))
        .then(|| (base * random.within(0.1, 0.8), random.within(1.0, 14.0)));
    // A job each night that keeps its work for some hours.
    let nightly = if is("mix-nightly") {
        base * random.within(0.1, 0.6)
    } else {
        0.0
    };
    let nightly_at = random.within(0.0, 24.0);
    let nightly_hours = random.within(0.5, 4.0);

    let confusion = saw_size + burst_size * f64::from(u8::from(burst_rate > 0.1)) * 0.3;
    let (from, per_hour) = leak(random, kind, hours, base, confusion);
    let (mut lumps, mut leaked) = (0.0, 0.0);

    let mut accounted = Vec::with_capacity(n);
    let allocated: Vec<f64> = load
        .iter()
        .enumerate()
        .map(|(place, load)| {
            let at = place as f64 * dt;
            let share = load / mean;
            late += (share - late) * (1.0 - (-dt / late_hours).exp());
            burst *= (-dt / burst_hours).exp();
            if random.chance(burst_rate * dt) {
                burst += burst_size * random.within(0.4, 1.0);
            }
            tooth += dt / tooth_hours;
            if tooth >= 1.0 {
                tooth = 0.0;
                tooth_hours = saw_hours * random.within(0.75, 1.25);
            }
            let since = at - from;
            if leaks && since >= 0.0 {
                leaked += per_hour
                    * dt
                    * match kind {
                        "mix-leak-by-load" => share,
                        "mix-leak-faster" => 0.4 + 1.2 * since / (hours - from),
                        "mix-leak-in-lumps" => {
                            lumps += dt;
                            if random.chance(4.0 * dt) {
                                std::mem::take(&mut lumps) / dt
                            } else {
                                0.0
                            }
                        }
                        _ => 1.0,
                    };
            }
            let known = known.map_or(0.0, |(size, hours)| size * (1.0 - (-at / hours).exp()));
            accounted.push(known);
            let since_night = (at - nightly_at).rem_euclid(24.0);
            let night = if since_night < nightly_hours {
                nightly
            } else {
                0.0
            };
            let stepped: f64 = steps
                .iter()
                .filter(|(when, _)| at >= *when)
                .map(|(_, size)| size)
                .sum();
            let sum = base * (1.0 + live_share * share + late_share * late)
                + fast.next(random, dt)
                + slow.next(random, dt)
                + burst
                + saw_size * tooth
                + stepped
                + full * (1.0 - (-at / fill_hours).exp())
                + known
                + night
                + leaked;
            sum.max(1.0)
        })
        .collect();
    let growth = if is("mix-holes") {
        random.within(0.004, 0.03) * base
    } else {
        0.0
    };
    let extra = random.within(1.03, 1.3);
    let mut level = 0.0_f64;
    let resident = allocated
        .iter()
        .enumerate()
        .map(|(place, held)| {
            level = (level * (-dt / 0.5).exp()).max(held * extra);
            level + growth * place as f64 * dt
        })
        .collect();
    let shows_load = is("mix-week") || is("mix-late-cache") || random.chance(0.5);
    Labelled {
        kind,
        leak_from_s: leaks.then_some(from * 3600.0),
        step_s,
        allocated,
        resident,
        load: shows_load.then_some(load),
        accounted: known.map(|_| accounted),
    }
}

/// When it begins to leak, and MiB an hour: by the end at least a tenth of the base and as much as what confuses.
fn leak(random: &mut Random, kind: &str, hours: f64, base: f64, confusion: f64) -> (f64, f64) {
    let from = match kind {
        "mix-leak-late" => random.within(0.3, 0.5) * hours,
        _ if random.chance(0.35) => 0.0,
        _ => random.within(0.0, 0.35) * hours,
    };
    let total = random.scale(0.1, 2.5) * base + confusion;
    (from, total.max(14.0) / (hours - from))
}

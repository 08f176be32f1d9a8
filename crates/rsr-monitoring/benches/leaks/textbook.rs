//! A third set of labelled series, written from the words of the rule alone. Its training seeds were looked at too: they
//! showed that a cache which fills late looks like a leak, and how late teeth fall.
//!
//! Its shapes are those a textbook would draw: white and heavy-tailed noise, ramps that end at a bound, logistic warm-ups,
//! teeth with flat tops, office days, jobs that leak for an hour and rest for two. Steps, sizes and lengths differ from
//! those of `series` and `mixture`.

use std::f64::consts::TAU;

use crate::series::{Labelled, Random};

const HOURS: f64 = 36.0;

const HEALTHY: [&str; 16] = [
    "flat-white",
    "flat-heavy-tailed",
    "warm-up-logistic",
    "warm-up-ramp",
    "plateau-late",
    "teeth-minutes",
    "teeth-4-to-9-h",
    "teeth-9-to-12-h",
    "one-step",
    "stairs",
    "bursts-and-decay",
    "office-day-shown",
    "office-day-hidden",
    "wandering",
    "holes-in-resident",
    "known-cache-fills",
];
const LEAKING: [&str; 12] = [
    "leak-half-percent",
    "leak-percents",
    "leak-tenth",
    "leak-each-request",
    "leak-after-hours",
    "leak-after-release",
    "leak-behind-teeth",
    "leak-behind-day",
    "leak-behind-noise",
    "leak-in-jobs",
    "leak-in-lumps",
    "leak-speeding-up",
];

/// `n` series, half of which leak.
pub(crate) fn generate(seed: u64, n: usize) -> Vec<Labelled> {
    (0..n)
        .map(|place| {
            let mut random = Random::new(
                seed.rotate_left(23) ^ (place as u64).wrapping_mul(0xa076_1d64_78bd_642f),
            );
            let kind = if place % 2 == 0 {
                HEALTHY[place / 2 % HEALTHY.len()]
            } else {
                LEAKING[place / 2 % LEAKING.len()]
            };
            make(&mut random, kind)
        })
        .collect()
}

/// Everything one series is made of; what a kind has not is 0.
#[derive(Default)]
struct Shape {
    white: f64,
    heavy: f64,
    wander: f64,
    wander_hours: f64,
    /// Size and hours of the way up, and whether it is a straight ramp.
    full: f64,
    full_from: f64,
    full_hours: f64,
    is_ramp: bool,
    tooth: f64,
    tooth_hours: f64,
    steps: Vec<(f64, f64)>,
    bursts_an_hour: f64,
    burst: f64,
    /// Share of the memory that follows the load, and how far a day swings the load.
    by_load: f64,
    swing: f64,
    shows_load: bool,
    holes_an_hour: f64,
    known: f64,
    known_hours: f64,
    leak_from: f64,
    leak_an_hour: f64,
}

fn shape(random: &mut Random, kind: &str, base: f64) -> Shape {
    let mut shape = Shape {
        white: random.within(0.001, 0.008),
        full: random.within(0.0, 0.12),
        full_hours: random.within(0.05, 0.5),
        by_load: random.within(0.0, 0.03),
        swing: random.within(0.0, 0.25),
        shows_load: random.chance(0.5),
        known: f64::from(u8::from(random.chance(0.2))) * random.within(0.05, 0.3),
        known_hours: random.within(0.5, 6.0),
        wander: random.within(0.0, 0.002),
        wander_hours: random.within(0.3, 2.0),
        ..Shape::default()
    };
    match kind {
        "flat-white" => shape.white = random.within(0.005, 0.05),
        "flat-heavy-tailed" => shape.heavy = random.within(0.005, 0.03),
        "warm-up-logistic" => {
            shape.full = random.within(0.15, 1.2);
            shape.full_hours = random.within(0.5, 5.0);
        }
        "warm-up-ramp" => {
            shape.full = random.within(0.15, 1.0);
            shape.full_hours = random.within(0.7, 5.5);
            shape.is_ramp = true;
        }
        "plateau-late" => {
            shape.full = random.within(0.1, 0.7);
            shape.full_from = random.within(3.0, 22.0);
            shape.full_hours = random.within(0.5, 3.0);
        }
        "teeth-minutes" => {
            shape.tooth = random.within(0.05, 0.8);
            shape.tooth_hours = random.scale(0.1, 2.0);
        }
        "teeth-4-to-9-h" => {
            shape.tooth = random.within(0.05, 0.6);
            shape.tooth_hours = random.within(4.0, 9.0);
        }
        "teeth-9-to-12-h" => {
            shape.tooth = random.within(0.05, 0.6);
            shape.tooth_hours = random.within(9.0, 12.0);
        }
        "one-step" => shape
            .steps
            .push((random.within(0.5, 30.0), random.within(0.05, 0.8))),
        "stairs" => {
            for _ in 0..2 + (random.unit() * 4.0) as usize {
                shape
                    .steps
                    .push((random.within(0.5, 34.0), random.within(0.03, 0.3)));
            }
        }
        "bursts-and-decay" => {
            shape.bursts_an_hour = random.within(0.1, 1.0);
            shape.burst = random.within(0.1, 1.0);
        }
        "office-day-shown" | "office-day-hidden" => {
            shape.by_load = random.within(0.05, 0.35);
            shape.swing = random.within(0.4, 0.9);
            shape.shows_load = kind == "office-day-shown";
            if !shape.shows_load {
                shape.by_load *= 0.6;
            }
        }
        "wandering" => {
            shape.wander = random.within(0.01, 0.06);
            shape.wander_hours = random.within(1.0, 6.0);
        }
        "holes-in-resident" => shape.holes_an_hour = random.within(0.005, 0.05),
        "known-cache-fills" => {
            shape.known = random.within(0.2, 1.0);
            shape.known_hours = random.within(2.0, 20.0);
        }
        _ => leak(random, kind, &mut shape),
    }
    // A leak of a small program is a leak once it is a few MB.
    shape.leak_an_hour =
        (shape.leak_an_hour * base).max(f64::from(u8::from(shape.leak_an_hour > 0.0)) * 0.7);
    shape
}

fn leak(random: &mut Random, kind: &str, shape: &mut Shape) {
    shape.leak_from = if random.chance(0.4) {
        0.0
    } else {
        random.within(0.0, 16.0)
    };
    shape.leak_an_hour = random.scale(0.01, 0.12);
    match kind {
        "leak-half-percent" => {
            shape.leak_an_hour = random.within(0.004, 0.012);
            shape.white = random.within(0.001, 0.004);
        }
        "leak-percents" => shape.leak_an_hour = random.scale(0.01, 0.05),
        "leak-tenth" => shape.leak_an_hour = random.scale(0.05, 0.4),
        "leak-each-request" => shape.swing = random.within(0.1, 0.5),
        "leak-after-hours" => shape.leak_from = random.within(8.0, 24.0),
        "leak-after-release" => {
            shape.leak_from = random.within(2.0, 18.0);
            shape
                .steps
                .push((shape.leak_from, random.within(-0.1, 0.25)));
        }
        "leak-behind-teeth" => {
            shape.tooth = random.within(0.05, 0.35);
            shape.tooth_hours = random.scale(0.1, 2.5);
            shape.leak_an_hour = shape.leak_an_hour.max(0.02);
        }
        "leak-behind-day" => {
            shape.by_load = random.within(0.05, 0.25);
            shape.swing = random.within(0.3, 0.8);
            shape.shows_load = random.chance(0.7);
            shape.leak_an_hour = shape.leak_an_hour.max(0.02);
        }
        "leak-behind-noise" => {
            shape.white = random.within(0.02, 0.06);
            shape.leak_an_hour = shape.leak_an_hour.max(0.02);
        }
        _ => {}
    }
}

fn make(random: &mut Random, kind: &'static str) -> Labelled {
    let step_s = [15.0, 30.0, 60.0, 90.0, 300.0, 600.0][(random.unit() * 6.0) as usize % 6];
    let dt = step_s / 3600.0;
    let n = (HOURS / dt) as usize;
    let base = random.scale(60.0, 2500.0);
    let shape = shape(random, kind, base);
    let mean = random.scale(5.0, 800.0);
    let opens = random.within(0.0, 24.0);
    let mut state = State::new(random, &shape);
    let (mut allocated, mut load, mut accounted, mut resident) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut leaked = 0.0;
    let mut top = 0.0_f64;
    for place in 0..n {
        let at = place as f64 * dt;
        // Open for ten hours, with an hour of coming and one of going.
        let hour = (at - opens).rem_euclid(24.0);
        let open = (hour.min(1.0) - (hour - 10.0).clamp(0.0, 1.0)).clamp(0.0, 1.0);
        let sine = 0.5 + 0.5 * (TAU * (at - opens) / 24.0).sin();
        let busy = if shape.shows_load { open } else { sine };
        let share = (1.0 - shape.swing / 2.0 + shape.swing * busy) * (1.0 + 0.04 * random.normal());
        load.push((mean * share).max(0.0));
        let since = at - shape.leak_from;
        if shape.leak_an_hour > 0.0 && since >= 0.0 {
            leaked += state.leak(random, kind, shape.leak_an_hour, since, share, dt);
        }
        let known = shape.known * base * (1.0 - (-at / shape.known_hours).exp());
        let held = base
            * (1.0 + shape.by_load * share + full(&shape, at) + state.next(random, &shape, at, dt));
        let sum = (held + known + leaked).max(1.0);
        allocated.push(sum);
        accounted.push(known);
        top = (top * (1.0 - 0.3 * dt)).max(sum * 1.08);
        resident.push(top + shape.holes_an_hour * base * at);
    }
    Labelled {
        kind,
        leak_from_s: (shape.leak_an_hour > 0.0).then_some(shape.leak_from * 3600.0),
        step_s,
        allocated,
        resident,
        load: shape.shows_load.then_some(load),
        accounted: (shape.known > 0.0).then_some(accounted),
    }
}

/// The share of the base that has filled up.
fn full(shape: &Shape, at: f64) -> f64 {
    let way = (at - shape.full_from).max(0.0) / shape.full_hours;
    if shape.is_ramp {
        shape.full * way.min(1.0)
    } else if shape.full_from > 0.0 {
        shape.full * (1.0 - (-way).exp())
    } else {
        shape.full / (1.0 + (4.0 - 6.0 * way).exp())
    }
}

struct State {
    wander: f64,
    burst: f64,
    tooth: f64,
    tooth_hours: f64,
    lump: f64,
}

impl State {
    fn new(random: &mut Random, shape: &Shape) -> Self {
        Self {
            wander: 0.0,
            burst: 0.0,
            tooth: random.unit(),
            tooth_hours: shape.tooth_hours,
            lump: 0.0,
        }
    }

    /// The share of the base that comes and goes.
    fn next(&mut self, random: &mut Random, shape: &Shape, at: f64, dt: f64) -> f64 {
        let keep = (-dt / shape.wander_hours).exp();
        self.wander =
            self.wander * keep + shape.wander * (1.0 - keep * keep).sqrt() * random.normal();
        self.burst *= (-dt / 0.7).exp();
        if random.chance(shape.bursts_an_hour * dt) {
            self.burst += shape.burst * random.unit();
        }
        if shape.tooth > 0.0 {
            self.tooth += dt / self.tooth_hours;
            // The top of a tooth is flat for its last tenth.
            if self.tooth >= 1.1 {
                self.tooth = 0.0;
                self.tooth_hours = shape.tooth_hours * random.within(0.9, 1.1);
            }
        }
        let stepped: f64 = shape
            .steps
            .iter()
            .filter(|(when, _)| at >= *when)
            .map(|(_, size)| size)
            .sum();
        let heavy = shape.heavy * (0.3 / random.unit().max(0.003) - 0.3).min(8.0);
        shape.white * random.normal()
            + heavy
            + self.wander
            + self.burst
            + shape.tooth * self.tooth.min(1.0)
            + stepped
    }

    /// MiB that are lost in this step.
    fn leak(
        &mut self,
        random: &mut Random,
        kind: &str,
        an_hour: f64,
        since: f64,
        share: f64,
        dt: f64,
    ) -> f64 {
        match kind {
            "leak-each-request" => an_hour * share * dt,
            // A job of half an hour, each hour and a half.
            "leak-in-jobs" if since.rem_euclid(1.5) < 0.5 => 3.0 * an_hour * dt,
            "leak-in-jobs" => 0.0,
            "leak-in-lumps" => {
                self.lump += an_hour * dt;
                if random.chance(3.0 * dt) {
                    std::mem::take(&mut self.lump)
                } else {
                    0.0
                }
            }
            "leak-speeding-up" => an_hour * (0.5 + since / 15.0) * dt,
            _ => an_hour * dt,
        }
    }
}

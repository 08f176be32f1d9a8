//! Labelled series of memory figures, made from a seed.
//!
//! Every series is 36 hours of a service: a base, noise with a memory of its own, a load that asks for bytes, and one
//! thing that happens to it, which is a leak or is none.

/// A series and the truth about it.
#[derive(Clone, Debug)]
pub(crate) struct Labelled {
    pub(crate) kind: &'static str,
    /// Seconds after the start at which it begins to leak.
    pub(crate) leak_from_s: Option<f64>,
    pub(crate) step_s: f64,
    /// MiB, as the three others but the load, which is requests a second.
    pub(crate) allocated: Vec<f64>,
    pub(crate) resident: Vec<f64>,
    pub(crate) load: Option<Vec<f64>>,
    pub(crate) accounted: Option<Vec<f64>>,
}

/// SplitMix64: small, fast, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn within(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    /// Even over orders of magnitude.
    pub(crate) fn scale(&mut self, from: f64, to: f64) -> f64 {
        self.within(from.ln(), to.ln()).exp()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Normal with mean 0 and deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().max(1e-300).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

const HOURS: f64 = 36.0;

/// Every kind, with whether it leaks.
pub(crate) const KINDS: [(&str, bool); 24] = [
    ("leak-slow", true),
    ("leak-slow", true),
    ("leak-fast", true),
    ("leak-fast", true),
    ("leak-from-load", true),
    ("leak-late", true),
    ("leak-late", true),
    ("leak-under-saw", true),
    ("leak-under-day", true),
    ("leak-in-noise", true),
    ("leak-after-warm-up", true),
    ("leak-in-bursts", true),
    ("plateau", false),
    ("plateau-slow", false),
    ("saw-short", false),
    ("saw-long", false),
    ("step", false),
    ("steps", false),
    ("bursts", false),
    ("day-with-load", false),
    ("day-without-load", false),
    ("wander", false),
    ("fragmentation", false),
    ("noise", false),
];

/// `n` series, the kinds in turn; the same seed gives the same series.
pub(crate) fn generate(seed: u64, n: usize) -> Vec<Labelled> {
    (0..n)
        .map(|place| {
            let (kind, leaks) = KINDS[place % KINDS.len()];
            make(
                &mut Random::new(
                    seed.wrapping_mul(0x0100_0000_01b3)
                        .wrapping_add(place as u64),
                ),
                kind,
                leaks,
            )
        })
        .collect()
}

fn make(random: &mut Random, kind: &'static str, leaks: bool) -> Labelled {
    let step_s = *[60.0, 120.0, 300.0]
        .get(random.within(0.0, 3.0) as usize)
        .unwrap_or(&300.0);
    let n = (HOURS * 3600.0 / step_s) as usize;
    let hour = |place: usize| place as f64 * step_s / 3600.0;
    let base = random.scale(40.0, 1500.0);
    let warm_up = random.within(0.02, 0.15) * base;
    let warm_up_hours = random.within(0.1, 0.6);
    let noise = Noise::new(random, base, kind);
    let load = load(random, kind, n, step_s);
    let bytes_per_load = match kind {
        "day-with-load" | "leak-under-day" => random.within(0.1, 0.5) * base / 100.0,
        "bursts" => random.within(0.05, 0.3) * base / 100.0,
        "day-without-load" => random.within(0.02, 0.2) * base / 100.0,
        _ => random.within(0.0, 0.04) * base / 100.0,
    };
    let mut event = Event::new(random, kind, base);
    let mut noise = noise;
    let mut allocated: Vec<f64> = (0..n)
        .map(|place| {
            let at = hour(place);
            base + warm_up * (1.0 - (-at / warm_up_hours).exp())
                + bytes_per_load * load[place]
                + noise.next(random, step_s)
                + event.next(random, at, load[place], step_s / 3600.0)
        })
        .map(|mib| mib.max(1.0))
        .collect();
    // A cache that the program has registered, full or filling: what it holds is accounted for.
    let accounted = random.chance(0.3).then(|| {
        let size = random.within(0.05, 0.4) * base;
        let hours = random.within(0.5, 8.0);
        let held: Vec<f64> = (0..n)
            .map(|place| size * (1.0 - (-hour(place) / hours).exp()))
            .collect();
        for (sum, held) in allocated.iter_mut().zip(&held) {
            *sum += held;
        }
        held
    });
    let shows_load = match kind {
        "day-without-load" => false,
        "day-with-load" | "leak-under-day" | "bursts" => true,
        _ => random.chance(0.6),
    };
    let resident = resident(random, kind, &allocated, step_s);
    Labelled {
        kind,
        leak_from_s: leaks.then_some(event.from * 3600.0),
        step_s,
        allocated,
        resident,
        load: shows_load.then_some(load),
        accounted,
    }
}

/// Fast noise that forgets within minutes, and a slow part that takes hours to.
struct Noise {
    fast: f64,
    fast_size: f64,
    slow: f64,
    slow_size: f64,
    slow_hours: f64,
}

impl Noise {
    fn new(random: &mut Random, base: f64, kind: &str) -> Self {
        let (fast, slow) = match kind {
            "noise" | "leak-in-noise" => (random.within(0.02, 0.06), random.within(0.002, 0.006)),
            "wander" => (random.within(0.003, 0.01), random.within(0.02, 0.08)),
            _ => (random.within(0.002, 0.015), random.within(0.0, 0.003)),
        };
        Self {
            fast: 0.0,
            fast_size: fast * base,
            slow: 0.0,
            slow_size: slow * base,
            slow_hours: if kind == "wander" {
                random.within(1.5, 8.0)
            } else {
                random.within(0.5, 2.0)
            },
        }
    }

    fn next(&mut self, random: &mut Random, step_s: f64) -> f64 {
        let advance = |value: f64, size: f64, keep: f64, random: &mut Random| {
            value * keep + size * (1.0 - keep * keep).sqrt() * random.normal()
        };
        self.fast = advance(self.fast, self.fast_size, (-step_s / 400.0).exp(), random);
        let keep = (-step_s / (self.slow_hours * 3600.0)).exp();
        self.slow = advance(self.slow, self.slow_size, keep, random);
        self.fast + self.slow
    }
}

/// Requests a second.
fn load(random: &mut Random, kind: &str, n: usize, step_s: f64) -> Vec<f64> {
    let swing = match kind {
        "day-with-load" | "day-without-load" | "leak-under-day" => random.within(0.5, 0.9),
        _ => random.within(0.0, 0.3),
    };
    let mean = random.within(30.0, 120.0);
    let phase = random.within(0.0, 24.0);
    let mut wobble = 0.0;
    let mut burst = 0.0_f64;
    let burst_rate = if kind == "bursts" { 0.6 } else { 0.05 };
    (0..n)
        .map(|place| {
            let at = place as f64 * step_s / 3600.0;
            wobble = wobble * 0.9 + 0.03 * random.normal();
            if random.chance(burst_rate * step_s / 3600.0) {
                burst = random.within(1.0, 5.0);
            }
            burst *= (-step_s / 1200.0).exp();
            let day = 1.0 + swing * (std::f64::consts::TAU * (at + phase) / 24.0).sin();
            (mean * (day + wobble + burst)).max(0.0)
        })
        .collect()
}

/// What happens to the service.
struct Event {
    kind: &'static str,
    /// Hours after the start at which it begins.
    from: f64,
    /// MiB an hour, or MiB.
    size: f64,
    /// Hours.
    period: f64,
    phase: f64,
    held: f64,
    next_at: f64,
    base: f64,
}

impl Event {
    fn new(random: &mut Random, kind: &'static str, base: f64) -> Self {
        let from = match kind {
            "leak-late" => random.within(3.0, 18.0),
            // Some leaks are there from the start, others begin with the first request of a kind.
            kind if kind.starts_with("leak-") => {
                if random.chance(0.3) {
                    0.0
                } else {
                    random.within(0.0, 14.0)
                }
            }
            "step" | "steps" => random.within(1.0, 20.0),
            _ => 0.0,
        };
        let size = match kind {
            "leak-slow" => random.scale(0.006, 0.02) * base,
            "leak-in-noise" => random.scale(0.02, 0.1) * base,
            "leak-fast" => random.scale(0.03, 0.3) * base,
            "leak-from-load" | "leak-late" | "leak-in-bursts" => random.scale(0.015, 0.1) * base,
            "leak-under-saw" | "leak-under-day" | "leak-after-warm-up" => {
                random.scale(0.015, 0.1) * base
            }
            "plateau" | "plateau-slow" => random.within(0.1, 0.8) * base,
            "saw-short" | "saw-long" => random.within(0.08, 0.6) * base,
            "step" | "steps" => random.within(0.05, 0.5) * base,
            _ => 0.0,
        };
        let period = match kind {
            "plateau" => random.within(0.5, 2.0),
            "plateau-slow" => random.within(2.0, 6.0),
            "saw-short" | "leak-under-saw" => random.within(0.3, 3.0),
            "saw-long" => random.within(4.0, 9.0),
            _ => random.within(2.0, 8.0),
        };
        Self {
            kind,
            from,
            size,
            period,
            phase: random.unit(),
            held: 0.0,
            next_at: from,
            base,
        }
    }

    fn next(&mut self, random: &mut Random, at: f64, load: f64, hours: f64) -> f64 {
        let since = (at - self.from).max(0.0);
        let is_on = at >= self.from;
        match self.kind {
            "leak-slow" | "leak-fast" | "leak-late" | "leak-in-noise" | "leak-under-day" => {
                self.size * since
            }
            "leak-from-load" => {
                self.held += if is_on {
                    self.size * hours * load / 75.0
                } else {
                    0.0
                };
                self.held
            }
            // Lumps of different size at random moments, many a day.
            "leak-in-bursts" => {
                if is_on && random.chance(3.0 * hours) {
                    self.held += self.size / 3.0 * random.within(0.5, 1.5);
                }
                self.held
            }
            "leak-under-saw" => self.size * since + self.saw(random, at, 0.25 * self.base),
            "leak-after-warm-up" => {
                self.size * since + 0.3 * self.base * (1.0 - (-at / self.period.min(3.0)).exp())
            }
            "plateau" | "plateau-slow" => self.size * (1.0 - (-since / self.period).exp()),
            "saw-short" | "saw-long" => self.saw(random, at, self.size),
            "step" if is_on => self.size,
            "steps" => {
                if is_on && at >= self.next_at && self.held < 3.0 * self.size {
                    self.held += self.size * random.within(0.3, 1.0);
                    self.next_at = at + random.within(2.0, 9.0);
                }
                self.held
            }
            _ => 0.0,
        }
    }

    /// Rises evenly and falls at once; no two teeth are quite the same.
    fn saw(&mut self, random: &mut Random, at: f64, height: f64) -> f64 {
        if self.held == 0.0 {
            self.held = 1.0;
            self.next_at = at + self.period * (1.0 - self.phase);
            self.begin_tooth(self.phase);
        }
        if at >= self.next_at {
            self.begin_tooth(0.0);
            self.next_at = at + self.period * random.within(0.85, 1.15);
        }
        let share = 1.0 - (self.next_at - at) / self.period;
        height * share.clamp(0.0, 1.2)
    }

    fn begin_tooth(&mut self, phase: f64) {
        self.phase = phase;
    }
}

/// The process's memory: never below the heap's, slow to fall, and with holes that stay.
fn resident(random: &mut Random, kind: &str, allocated: &[f64], step_s: f64) -> Vec<f64> {
    let growth = if kind == "fragmentation" {
        random.within(0.01, 0.06)
    } else {
        0.0
    };
    let extra = random.within(1.05, 1.25);
    let mut level = 0.0_f64;
    allocated
        .iter()
        .enumerate()
        .map(|(place, heap)| {
            let holes = growth * allocated[0] * place as f64 * step_s / 3600.0;
            level = (level * (-step_s / 3600.0).exp()).max(heap * extra);
            level + holes
        })
        .collect()
}

//! The steps, and when one is reached or left.

/// How short memory is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PressureLevel {
    /// Nothing is given up.
    #[default]
    Normal,
    /// Caches give back and the allocator returns its free pages.
    Reclaim,
    /// Background work waits and chunks shrink, too.
    Defer,
    /// Heavy requests are refused, too.
    Shed,
    /// Everything but health, metrics and administration is refused.
    Critical,
}

impl PressureLevel {
    /// Every level, the least first.
    pub const ALL: [Self; 5] = [
        Self::Normal,
        Self::Reclaim,
        Self::Defer,
        Self::Shed,
        Self::Critical,
    ];

    /// The name that logs, events and labels show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Reclaim => "reclaim",
            Self::Defer => "defer",
            Self::Shed => "shed",
            Self::Critical => "critical",
        }
    }

    pub(super) fn from_number(number: u8) -> Self {
        *Self::ALL
            .get(usize::from(number))
            .unwrap_or(&Self::Critical)
    }
}

/// Shares of the limit at which each level begins, from 0 to 1 and rising.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PressureSteps {
    /// Where [`PressureLevel::Reclaim`] begins.
    pub reclaim: f64,
    /// Where [`PressureLevel::Defer`] begins.
    pub defer: f64,
    /// Where [`PressureLevel::Shed`] begins.
    pub shed: f64,
    /// Where [`PressureLevel::Critical`] begins.
    pub critical: f64,
    /// How far below its beginning a level ends, so that it does not come and go.
    pub hysteresis: f64,
}

impl Default for PressureSteps {
    fn default() -> Self {
        Self {
            reclaim: 0.70,
            defer: 0.80,
            shed: 0.88,
            critical: 0.95,
            hysteresis: 0.05,
        }
    }
}

impl PressureSteps {
    /// The level after `before`, with this share of the limit in use.
    ///
    /// Upwards it follows at once, over several steps where needed; downwards only past the hysteresis.
    #[must_use]
    pub fn next(&self, before: PressureLevel, share: f64) -> PressureLevel {
        let rising = self.level(share);
        let falling = self.level(share + self.hysteresis);
        rising.max(before.min(falling))
    }

    fn level(&self, share: f64) -> PressureLevel {
        let steps = [
            (self.critical, PressureLevel::Critical),
            (self.shed, PressureLevel::Shed),
            (self.defer, PressureLevel::Defer),
            (self.reclaim, PressureLevel::Reclaim),
        ];
        steps
            .into_iter()
            .find(|(begins, _)| share >= *begins)
            .map_or(PressureLevel::Normal, |(_, level)| level)
    }
}

impl From<&rsr_settings::MemorySettings> for PressureSteps {
    fn from(settings: &rsr_settings::MemorySettings) -> Self {
        Self {
            reclaim: settings.reclaim_at,
            defer: settings.pause_at,
            shed: settings.shed_at,
            critical: settings.refuse_at,
            hysteresis: settings.hysteresis,
        }
    }
}

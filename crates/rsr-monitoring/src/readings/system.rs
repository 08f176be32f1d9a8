//! Figures of the machine.

use std::path::Path;

use rsr_base::ByteSize;

use super::file::{KeptFile, kib};

/// Memory of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemReading {
    /// All physical memory.
    pub total: ByteSize,
    /// What programs could still take without swapping, as the kernel estimates it.
    pub available: ByteSize,
}

impl SystemReading {
    /// What is not available.
    #[must_use]
    pub fn used(&self) -> ByteSize {
        self.total - self.available
    }

    /// The used part of the total, from 0 to 1.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio for people, of sizes far below 2^53 bytes"
    )]
    pub fn used_ratio(&self) -> f64 {
        if self.total == ByteSize::ZERO {
            return 0.0;
        }
        self.used().bytes() as f64 / self.total.bytes() as f64
    }
}

/// Shares of the last ten seconds in which work stood still for want of memory, from 0 to 1.
///
/// **Source:** the kernel's pressure stall information, `Documentation/accounting/psi.rst`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StallReading {
    /// At least one task waited.
    pub some: f64,
    /// All tasks waited at once; absent where the kernel does not tell.
    pub full: Option<f64>,
}

impl StallReading {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let share = |kind: &str| {
            let line = text.lines().find(|line| line.starts_with(kind))?;
            let average = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix("avg10="))?;
            Some(average.parse::<f64>().ok()? / 100.0)
        };
        Some(Self {
            some: share("some ")?,
            full: share("full "),
        })
    }
}

#[derive(Debug)]
pub(super) struct SystemFiles {
    meminfo: KeptFile,
    pressure: KeptFile,
}

impl SystemFiles {
    pub(super) fn open(root: &Path) -> Self {
        Self {
            meminfo: KeptFile::open(&root.join("proc/meminfo")),
            pressure: KeptFile::open(&root.join("proc/pressure/memory")),
        }
    }

    pub(super) fn read(&self) -> Option<SystemReading> {
        self.meminfo.read::<4096, _>(|text| {
            Some(SystemReading {
                total: kib(text, "MemTotal")?,
                available: kib(text, "MemAvailable")?,
            })
        })
    }

    pub(super) fn stall(&self) -> Option<StallReading> {
        self.pressure.read::<512, _>(StallReading::parse)
    }
}

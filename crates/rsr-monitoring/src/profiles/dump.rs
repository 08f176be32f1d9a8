//! The text that jemalloc writes.
//!
//! **Source:** jemalloc's `prof_data.c` (format `heap_v2`) and its script `jeprof`, whose correction of the sampling is
//! done here likewise.

use std::fmt::Write;

use rsr_base::ByteSize;

/// Longest text that is read; a dump of a large service is some MB.
pub(super) const TEXT_MAX: ByteSize = ByteSize::from_mib(256);

/// Longest list of mapped files that is read.
#[cfg(feature = "jemalloc")]
const MAPS_MAX: ByteSize = ByteSize::from_mib(4);

/// Frames of one stack that are kept; jemalloc writes at most 128.
const FRAMES_MAX: usize = 512;

/// A heap profile as jemalloc wrote it: stacks of bare addresses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeapDump {
    /// Mean bytes between two samples.
    pub(super) period: u64,
    pub(super) stacks: Vec<RawStack>,
    pub(super) mappings: Vec<Mapping>,
}

/// Allocations of one call stack that still live, scaled from the samples to all.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RawStack {
    /// Return addresses, the innermost first.
    pub(super) addresses: Vec<u64>,
    pub(super) bytes: u64,
    pub(super) count: u64,
}

/// A file that was mapped into the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) offset: u64,
    pub(super) path: String,
    pub(super) is_code: bool,
}

/// A text that is no heap profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// It does not begin as a profile does.
    #[error("is no heap profile of jemalloc: does not begin with heap_v2/")]
    NotADump,
    /// A line that makes no sense.
    #[error("line {line} is no {expected}")]
    Line {
        /// Counted from one.
        line: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// The file cannot be read.
    #[error("the profile cannot be read")]
    Read(#[from] rsr_base::ReadError),
}

impl HeapDump {
    /// Reads the text of a dump. O(length).
    ///
    /// # Errors
    ///
    /// [`DumpError`] with the line that makes no sense.
    pub fn parse(text: &str) -> Result<Self, DumpError> {
        let mut lines = text.lines().enumerate();
        let period = lines
            .next()
            .and_then(|(_, line)| line.strip_prefix("heap_v2/"))
            .and_then(|period| period.trim().parse().ok())
            .ok_or(DumpError::NotADump)?;
        let mut dump = Self {
            period,
            ..Self::default()
        };
        let mut addresses: Option<Vec<u64>> = None;
        let mut is_mapping = false;
        for (place, line) in lines {
            let wrong = |expected| DumpError::Line {
                line: place + 1,
                expected,
            };
            let line = line.trim();
            if is_mapping {
                dump.mappings.extend(mapping(line));
            } else if line == "MAPPED_LIBRARIES:" {
                is_mapping = true;
            } else if let Some(stack) = line.strip_prefix('@') {
                let all: Option<Vec<_>> =
                    stack.split_whitespace().take(FRAMES_MAX).map(hex).collect();
                addresses = Some(all.ok_or_else(|| wrong("stack of addresses"))?);
            } else if let Some(counts) = line.strip_prefix("t*:") {
                let (count, bytes) = counters(counts).ok_or_else(|| wrong("pair of counts"))?;
                // Before the first stack stand the sums of all.
                if let Some(addresses) = addresses.take() {
                    let (count, bytes) = unsample(count, bytes, period);
                    dump.stacks.push(RawStack {
                        addresses,
                        bytes,
                        count,
                    });
                }
            } else if !line.is_empty() && !line.starts_with('t') {
                return Err(wrong("part of a heap profile"));
            }
        }
        Ok(dump)
    }

    /// Reads a file, 256 MiB at most.
    ///
    /// # Errors
    ///
    /// [`DumpError`] where it cannot be read or is no dump.
    pub fn read(path: &std::path::Path) -> Result<Self, DumpError> {
        Self::parse(&rsr_base::read_file_at_most(path, TEXT_MAX)?)
    }

    /// A dump of stacks whose figures are whole already, not samples: addresses, bytes, allocations.
    #[cfg(feature = "jemalloc")]
    pub(crate) fn of_stacks(stacks: impl Iterator<Item = (Vec<u64>, u64, u64)>) -> Self {
        Self {
            period: 1,
            stacks: stacks
                .map(|(addresses, bytes, count)| RawStack {
                    addresses,
                    bytes,
                    count,
                })
                .collect(),
            mappings: Vec::new(),
        }
    }

    /// Notes which files are mapped into this process, without which nothing can be named.
    #[cfg(feature = "jemalloc")]
    pub(crate) fn map_this_process(&mut self) {
        let maps = rsr_base::read_file_at_most("/proc/self/maps".as_ref(), MAPS_MAX);
        let maps = maps.unwrap_or_default();
        self.mappings = maps
            .lines()
            .filter_map(mapping)
            .filter(|mapping| mapping.is_code || mapping.offset == 0)
            .collect();
    }

    /// The text that [`HeapDump::parse`] reads, so that another process can name it. Sampled figures come out whole.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::from("heap_v2/1\n");
        for stack in &self.stacks {
            out.push('@');
            for address in &stack.addresses {
                write!(out, " {address:#x}").expect("a string takes all text");
            }
            let RawStack { bytes, count, .. } = stack;
            write!(out, "\n  t*: {count}: {bytes} [0: 0]\n").expect("a string takes all text");
        }
        out.push_str("\nMAPPED_LIBRARIES:\n");
        for mapping in &self.mappings {
            let rights = if mapping.is_code { "r-xp" } else { "r--p" };
            let Mapping {
                start,
                end,
                offset,
                path,
                ..
            } = mapping;
            writeln!(
                out,
                "{start:x}-{end:x} {rights} {offset:08x} 00:00 0 {path}"
            )
            .expect("a string takes all text");
        }
        out
    }

    /// Bytes that live, over all stacks.
    #[must_use]
    pub fn live(&self) -> ByteSize {
        ByteSize::from_bytes(
            self.stacks
                .iter()
                .fold(0, |sum, stack| sum.saturating_add(stack.bytes)),
        )
    }
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// ` 3: 4096 [10: 9000]`: objects and bytes that live; in brackets what was ever allocated.
fn counters(text: &str) -> Option<(u64, u64)> {
    let (live, _ever) = text.split_once('[')?;
    let (count, bytes) = live.split_once(':')?;
    Some((count.trim().parse().ok()?, bytes.trim().parse().ok()?))
}

/// What all allocations were, from those that were sampled: one of `size` bytes is sampled with the probability
/// 1 − e^(−size ÷ period).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, of counts far below 2^53 and never negative"
)]
fn unsample(count: u64, bytes: u64, period: u64) -> (u64, u64) {
    if count == 0 || period <= 1 {
        return (count, bytes);
    }
    let size = bytes as f64 / count as f64;
    let scale = 1.0 / -(-size / period as f64).exp_m1();
    if !scale.is_finite() {
        return (count, bytes);
    }
    (
        (count as f64 * scale).round() as u64,
        (bytes as f64 * scale).round() as u64,
    )
}

/// `55d0c8a00000-55d0c8b00000 r-xp 00001000 08:01 123 /usr/bin/rsr`, as in `/proc/self/maps`.
fn mapping(line: &str) -> Option<Mapping> {
    let mut parts = line.split_whitespace();
    let (start, end) = parts.next()?.split_once('-')?;
    let rights = parts.next()?;
    let offset = u64::from_str_radix(parts.next()?, 16).ok()?;
    let path = parts.skip(2).collect::<Vec<_>>().join(" ");
    path.starts_with('/').then_some(Mapping {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        offset,
        path,
        is_code: rights.contains('x'),
    })
}

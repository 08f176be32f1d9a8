//! Profiles with names.

use std::collections::BTreeMap;

use rsr_base::ByteSize;

/// A function at a place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame {
    /// Its name with its path, without type hash.
    pub function: String,
    /// Its source file; empty where unknown.
    pub file: String,
    /// The line; 0 where unknown.
    pub line: u32,
}

/// Living allocations of one call stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedStack {
    /// The innermost first.
    pub frames: Vec<Frame>,
    /// Bytes that live, an estimate from samples.
    pub bytes: u64,
    /// Allocations that live, likewise.
    pub count: u64,
}

/// A heap profile with names, ready to be written in any form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedProfile {
    period: u64,
    stacks: Vec<NamedStack>,
}

/// Functions that only pass an allocation on: they stand at the top of every stack and tell nothing.
const PASSED_ON: [&str; 12] = [
    "_rjem_",
    "prof_",
    "imalloc",
    "je_",
    "malloc",
    "calloc",
    "realloc",
    "__rust_alloc",
    "__rustc",
    "alloc::alloc::",
    "<alloc::alloc::Global",
    "tikv_jemallocator::",
];

impl Frame {
    pub(super) fn unknown(address: u64) -> Self {
        Self {
            function: format!("{address:#x}"),
            file: String::new(),
            line: 0,
        }
    }

    fn is_passed_on(&self) -> bool {
        let in_jemalloc = self.file.contains("/jemalloc/") || self.file.contains("/tikv-jemalloc");
        let in_wrapper = self.function.contains("CountingAllocator<")
            || self.function.contains("tikv_jemallocator::Jemalloc as");
        in_jemalloc
            || in_wrapper
            || PASSED_ON
                .iter()
                .any(|prefix| self.function.starts_with(prefix))
    }
}

/// Beginnings of names of the standard library and of what it is made of, as they stand after `<` and `&`.
const FOREIGN: [&str; 7] = [
    "core::",
    "alloc::",
    "std::",
    "hashbrown::",
    "??",
    "__",
    "0x",
];

impl NamedStack {
    /// The innermost function of the program's own: neither the standard library's nor a dependency's, nor a closure
    /// where the function around it is known. Where all are, the innermost that is not the standard library's.
    #[must_use]
    pub fn call_site(&self) -> Option<&Frame> {
        let is_own = |frame: &&Frame| {
            !frame.is_standard() && !frame.is_passed_on() && !frame.file.contains("/registry/src/")
        };
        let own = self.frames.iter().find(is_own);
        let around = own
            .filter(|frame| frame.function.ends_with('}'))
            .and_then(|closure| {
                let mut outer = self.frames.iter().filter(is_own);
                outer.find(|frame| frame.file == closure.file && !frame.function.ends_with('}'))
            });
        around
            .or(own)
            .or_else(|| self.frames.iter().find(|frame| !frame.is_standard()))
            .or_else(|| self.frames.first())
    }
}

impl Frame {
    fn is_standard(&self) -> bool {
        let name = self.function.trim_start_matches(['<', '&']);
        self.file.starts_with("/rustc/")
            || self.file.contains("/lib/rustlib/src/")
            // `CountingAllocator` stands between a program and every allocation of its.
            || self.file.ends_with("rsr-monitoring/src/allocator/counting.rs")
            || self.function.contains(" as alloc::")
            || self.function.contains(" as core::")
            || FOREIGN.iter().any(|start| name.starts_with(start))
    }
}

impl NamedProfile {
    /// A profile of these stacks; equal ones are added up, the largest come first.
    #[must_use]
    pub fn new(period: u64, stacks: Vec<NamedStack>) -> Self {
        let mut sums: BTreeMap<Vec<Frame>, (u64, u64)> = BTreeMap::new();
        for stack in stacks {
            let skipped = stack
                .frames
                .iter()
                .take_while(|frame| frame.is_passed_on())
                .count();
            let mut frames = stack.frames;
            // One that does nothing else keeps its frames.
            if skipped < frames.len() {
                frames.drain(..skipped);
            }
            let sum = sums.entry(frames).or_default();
            sum.0 = sum.0.saturating_add(stack.bytes);
            sum.1 = sum.1.saturating_add(stack.count);
        }
        let mut stacks: Vec<_> = sums
            .into_iter()
            .map(|(frames, (bytes, count))| NamedStack {
                frames,
                bytes,
                count,
            })
            .collect();
        stacks.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.frames.cmp(&b.frames)));
        Self { period, stacks }
    }

    /// What is there now and was not in `earlier`: stacks that grew, by how much.
    #[must_use]
    pub fn against(&self, earlier: &Self) -> Self {
        let before: BTreeMap<_, _> = earlier
            .stacks
            .iter()
            .map(|stack| (&stack.frames, (stack.bytes, stack.count)))
            .collect();
        let stacks = self
            .stacks
            .iter()
            .map(|stack| {
                let (bytes, count) = before.get(&stack.frames).copied().unwrap_or_default();
                NamedStack {
                    frames: stack.frames.clone(),
                    bytes: stack.bytes.saturating_sub(bytes),
                    count: stack.count.saturating_sub(count),
                }
            })
            .filter(|stack| stack.bytes > 0)
            .collect();
        Self::new(self.period, stacks)
    }

    /// Stacks, the largest first; no two are equal.
    #[must_use]
    pub fn stacks(&self) -> &[NamedStack] {
        &self.stacks
    }

    /// Mean bytes between two samples.
    #[must_use]
    pub fn period(&self) -> ByteSize {
        ByteSize::from_bytes(self.period)
    }

    /// Bytes over all stacks.
    #[must_use]
    pub fn total(&self) -> ByteSize {
        let sum = |sum: u64, stack: &NamedStack| sum.saturating_add(stack.bytes);
        ByteSize::from_bytes(self.stacks.iter().fold(0, sum))
    }

    /// Allocations over all stacks.
    #[must_use]
    pub fn count(&self) -> u64 {
        let sum = |sum: u64, stack: &NamedStack| sum.saturating_add(stack.count);
        self.stacks.iter().fold(0, sum)
    }
}

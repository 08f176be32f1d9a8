//! Texts for the terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use rsr_base::ByteSize;

use super::named::{Frame, NamedProfile};

/// One function of a call tree, with all that its callees took.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) bytes: u64,
    pub(super) callees: BTreeMap<&'a str, Self>,
}

impl<'a> Node<'a> {
    /// The tree of a profile, its root above the outermost functions.
    pub(super) fn of(profile: &'a NamedProfile) -> Self {
        let mut root = Self::default();
        for stack in profile.stacks() {
            let mut node = &mut root;
            node.bytes += stack.bytes;
            for frame in stack.frames.iter().rev() {
                node = node.callees.entry(&frame.function).or_default();
                node.bytes += stack.bytes;
            }
        }
        root
    }

    /// The largest first.
    pub(super) fn sorted(&self) -> Vec<(&'a str, &Self)> {
        let mut all: Vec<_> = self
            .callees
            .iter()
            .map(|(name, node)| (*name, node))
            .collect();
        all.sort_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then_with(|| a.0.cmp(b.0)));
        all
    }
}

impl NamedProfile {
    /// A table of the `n` functions that hold most: what they allocated themselves, and what they and their callees
    /// did.
    #[must_use]
    pub fn to_table(&self, n: usize) -> String {
        let mut rows: BTreeMap<&Frame, (u64, u64)> = BTreeMap::new();
        for stack in self.stacks() {
            if let Some(innermost) = stack.frames.first() {
                rows.entry(innermost).or_default().0 += stack.bytes;
            }
            // A function that calls itself counts once.
            for frame in stack.frames.iter().collect::<BTreeSet<_>>() {
                rows.entry(frame).or_default().1 += stack.bytes;
            }
        }
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let mut out = format!(
            "{:>10} {:>6} {:>10}  function\n",
            "self", "self%", "with callees"
        );
        for (frame, (own, all)) in rows.into_iter().take(n) {
            let place = if frame.line > 0 {
                format!("  {}:{}", frame.file, frame.line)
            } else {
                String::new()
            };
            line(
                &mut out,
                &format!(
                    "{:>10} {:>5.1}% {:>12}  {}{place}",
                    size(own),
                    self.percent(own),
                    size(all),
                    frame.function,
                ),
            );
        }
        out
    }

    /// The call tree, the outermost functions first; branches below one per cent are left out.
    #[must_use]
    pub fn to_tree(&self) -> String {
        let mut out = String::new();
        let root = Node::of(self);
        let mut waiting: Vec<_> = root
            .sorted()
            .into_iter()
            .rev()
            .map(|all| (0, all))
            .collect();
        while let Some((depth, (name, node))) = waiting.pop() {
            if self.percent(node.bytes) < 1.0 {
                continue;
            }
            line(
                &mut out,
                &format!(
                    "{:>10} {:>5.1}% {:indent$}{name}",
                    size(node.bytes),
                    self.percent(node.bytes),
                    "",
                    indent = depth,
                ),
            );
            waiting.extend(node.sorted().into_iter().rev().map(|all| (depth + 1, all)));
        }
        out
    }

    /// Totals and the five largest stacks.
    #[must_use]
    pub fn to_summary(&self) -> String {
        let mut out = format!(
            "{} live in about {} allocations of {} stacks, one sample each {}\n",
            size(self.total().bytes()),
            self.count(),
            self.stacks().len(),
            self.period(),
        );
        for (place, stack) in self.stacks().iter().take(5).enumerate() {
            line(
                &mut out,
                &format!(
                    "\n{}. {} ({:.1}%) in about {} allocations",
                    place + 1,
                    size(stack.bytes),
                    self.percent(stack.bytes),
                    stack.count
                ),
            );
            for frame in stack.frames.iter().take(8) {
                let place = if frame.line > 0 {
                    format!(" ({}:{})", frame.file, frame.line)
                } else {
                    String::new()
                };
                line(&mut out, &format!("   {}{place}", frame.function));
            }
        }
        out
    }

    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub(super) fn percent(&self, bytes: u64) -> f64 {
        bytes as f64 * 100.0 / self.total().bytes().max(1) as f64
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a string takes all text");
}

/// A size with two or three digits that mean something.
#[expect(clippy::cast_precision_loss, reason = "a rounded size for people")]
pub(super) fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, power)| bytes >= 1 << power) {
        Some((unit, power)) => format!("{:.1}{unit}", bytes as f64 / f64::from(1 << power)),
        None => ByteSize::from_bytes(bytes).to_string(),
    }
}

//! Holds the layer table of the root manifest against the real dependencies.
//!
//! The table is read from `cargo metadata`, which lists *declared* dependencies: optional, build and other-platform
//! edges are seen although nothing is compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

mod graph;
#[cfg(test)]
mod tests;

pub use graph::{Graph, Member, read};

/// The layer table as the root manifest states it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// Layers from the lowest up.
    pub order: Vec<String>,
    /// Packages outside the layers.
    pub tools: BTreeSet<String>,
    /// Each crate's layer and what it may use.
    pub crates: BTreeMap<String, Entry>,
    /// Edges allowed for a time although the table forbids them.
    pub exceptions: Vec<(String, String)>,
    /// Third-party crates and the only manifests that may name them.
    pub confined: BTreeMap<String, Vec<String>>,
}

/// One crate's line of the [`Table`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its layer.
    pub layer: String,
    /// The members it may depend on.
    pub uses: Vec<String>,
}

/// A dependency's kind, as far as the rules tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Normal or build.
    Built,
    /// For tests, examples and benches only.
    Dev,
}

/// A rule that does not hold, with the line to edit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The rule's number, 1 to 7.
    pub rule: u8,
    /// What is wrong.
    pub message: String,
    /// Where to mend it.
    pub remedy: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [rule {}] {}", self.message, self.rule, self.remedy)
    }
}

/// Compares the table with the graph. Sorted, empty where all rules hold; rule 1 is decided first and alone.
#[must_use]
pub fn check(table: &Table, graph: &Graph) -> Vec<Violation> {
    let mut found = membership(table, graph);
    if found.is_empty() {
        let rules = Rules { table, graph };
        rules.edges(&mut found);
        rules.table_entries(&mut found);
        rules.tools(&mut found);
        rules.confined(&mut found);
        found.sort();
        found.dedup();
    }
    found
}

const ROOT: &str = "see [workspace.metadata.layers] in Cargo.toml";

/// Rule 1: each member is in the table, and each entry is a member.
fn membership(table: &Table, graph: &Graph) -> Vec<Violation> {
    let listed = table.crates.keys().chain(&table.tools);
    let stale = listed
        .filter(|name| !graph.members.contains_key(*name))
        .map(|name| Violation {
            rule: 1,
            message: format!("{name} is in the layer table but is no member"),
            remedy: ROOT.to_owned(),
        });
    let unlisted = graph
        .members
        .keys()
        .filter(|name| !table.crates.contains_key(*name) && !table.tools.contains(*name))
        .map(|name| Violation {
            rule: 1,
            message: format!("{name} is not in the layer table"),
            remedy: ROOT.to_owned(),
        });
    let mut found: Vec<_> = stale.chain(unlisted).collect();
    found.sort();
    found
}

struct Rules<'a> {
    table: &'a Table,
    graph: &'a Graph,
}

impl Rules<'_> {
    fn uses(&self, from: &str) -> &[String] {
        self.table.crates.get(from).map_or(&[], |entry| &entry.uses)
    }

    fn is_excepted(&self, from: &str, to: &str) -> bool {
        self.table
            .exceptions
            .iter()
            .any(|(f, t)| f == from && t == to)
    }

    fn rank(&self, name: &str) -> Option<usize> {
        let layer = &self.table.crates.get(name)?.layer;
        self.table.order.iter().position(|known| known == layer)
    }

    /// Everything reachable along `uses`, without `from` itself.
    fn below(&self, from: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<&str> = self.uses(from).iter().map(String::as_str).collect();
        while let Some(name) = waiting.pop() {
            if seen.insert(name) {
                waiting.extend(self.uses(name).iter().map(String::as_str));
            }
        }
        seen
    }

    /// Rules 2, 5 and the first half of 6: what each real edge needs.
    fn edges(&self, found: &mut Vec<Violation>) {
        for (from, member) in &self.graph.members {
            if self.table.tools.contains(from) {
                continue;
            }
            for (to, kind) in &member.internal {
                let remedy = format!("crates/{from}/Cargo.toml");
                let is_tool = self.table.tools.contains(to);
                let (rule, message) = match kind {
                    Kind::Built if is_tool => (6, format!("{from} depends on {to} outside tests")),
                    Kind::Built if !self.uses(from).contains(to) && !self.is_excepted(from, to) => {
                        (2, format!("{from} uses {to}: not in its uses list"))
                    }
                    Kind::Dev if from == "rsr-base" && to == "rsr-testkit" => (
                        6,
                        "rsr-base tests use rsr-testkit, which is built on it".to_owned(),
                    ),
                    Kind::Dev
                        if to != from
                            && to != "rsr-testkit"
                            && !self.below(from).contains(to.as_str()) =>
                    {
                        (5, format!("{from} tests reach up to {to}"))
                    }
                    _ => continue,
                };
                found.push(Violation {
                    rule,
                    message,
                    remedy,
                });
            }
        }
    }

    /// Rules 3 and 4: what each entry of the table needs.
    fn table_entries(&self, found: &mut Vec<Violation>) {
        for (from, entry) in &self.table.crates {
            if self.rank(from).is_none() {
                found.push(Violation {
                    rule: 3,
                    message: format!("{from} sits in an unknown layer, {}", entry.layer),
                    remedy: ROOT.to_owned(),
                });
            }
            for to in &entry.uses {
                if self.rank(to) >= self.rank(from) && !self.is_excepted(from, to) {
                    let layer = |name| {
                        self.table
                            .crates
                            .get(name)
                            .map_or("tool", |entry| entry.layer.as_str())
                    };
                    found.push(Violation {
                        rule: 3,
                        message: format!(
                            "{from} ({}) may not use {to} ({})",
                            layer(from),
                            layer(to)
                        ),
                        remedy: ROOT.to_owned(),
                    });
                }
                if !self.has_built_edge(from, to) {
                    found.push(Violation {
                        rule: 4,
                        message: format!("{from} no longer uses {to}: remove it"),
                        remedy: ROOT.to_owned(),
                    });
                }
            }
        }
        for (from, to) in &self.table.exceptions {
            if !self.has_built_edge(from, to) || self.uses(from).contains(to) {
                found.push(Violation {
                    rule: 4,
                    message: format!("the exception for {from} to {to} is not needed: remove it"),
                    remedy: ROOT.to_owned(),
                });
            }
        }
    }

    fn has_built_edge(&self, from: &str, to: &str) -> bool {
        let edge = (to.to_owned(), Kind::Built);
        self.graph
            .members
            .get(from)
            .is_some_and(|member| member.internal.contains(&edge))
    }

    /// The second half of rule 6: the testkit stands on base alone.
    fn tools(&self, found: &mut Vec<Violation>) {
        let Some(testkit) = self.graph.members.get("rsr-testkit") else {
            return;
        };
        for (to, kind) in &testkit.internal {
            if *kind == Kind::Built && to != "rsr-base" {
                found.push(Violation {
                    rule: 6,
                    message: format!("rsr-testkit uses {to}: it may use rsr-base alone"),
                    remedy: "crates/rsr-testkit/Cargo.toml".to_owned(),
                });
            }
        }
    }

    /// Rule 7: who may name which third-party crate.
    fn confined(&self, found: &mut Vec<Violation>) {
        for (from, member) in &self.graph.members {
            for (name, kind) in &member.external {
                let Some(allowed) = self.table.confined.get(name) else {
                    continue;
                };
                if *kind == Kind::Built && from != "rsr-tests" && !allowed.contains(from) {
                    found.push(Violation {
                        rule: 7,
                        message: format!("{from} names {name}"),
                        remedy: format!("only {} may", allowed.join(", ")),
                    });
                }
            }
        }
    }
}

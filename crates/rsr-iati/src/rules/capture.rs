//! What is kept of one element while it is open, and the cases that are asked at its end.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read;

use crate::report::{Finding, Severity};
use crate::schema::StartTag;
use crate::xml::Reader;

use super::Context;
use super::case::{All, Answer, Case, World};
use super::date::Moment;
use super::eval::{Item, Scene};
use super::ruleset::{Anchor, Counted, Ruleset};
use super::tree::{NodeId, Tree};
use super::xpath::Name;

/// What is kept of one element that is open, its anchor.
#[derive(Debug, Default)]
pub(super) struct Capture {
    pub(super) anchor: usize,
    /// How many elements are open around the anchor.
    pub(super) depth: usize,
    pub(super) tree: Tree,
    pub(super) n_texts_open: usize,
    lacking: AllLacking,
    has: [bool; 2],
    pub(super) in_transaction: bool,
    pub(super) is_too_large: bool,
}

/// An open element of which something is kept, by one capture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) capture: usize,
    pub(super) want: usize,
    pub(super) node: NodeId,
    /// Its text is wanted.
    pub(super) text: bool,
    /// Whether it has text of its own is wanted.
    pub(super) has_text: bool,
}

/// Elements that lack what all or one should have.
#[derive(Clone, Copy, Debug, Default)]
struct Lacking {
    count: u64,
    line: Option<u64>,
}

impl Lacking {
    fn add(&mut self, line: u64) {
        self.count += 1;
        self.line = self.line.or(Some(line));
    }
}

/// What lacks each of the things that one or all should have.
#[derive(Clone, Copy, Debug, Default)]
struct AllLacking {
    languages: Lacking,
    sectors: Lacking,
    places: Lacking,
    currencies: Lacking,
}

impl AllLacking {
    fn of(&mut self, all: All) -> &mut Lacking {
        match all {
            All::Languages => &mut self.languages,
            All::Sectors => &mut self.sectors,
            All::Places => &mut self.places,
            All::Currencies => &mut self.currencies,
        }
    }

    fn seen(mut self, all: All) -> Lacking {
        *self.of(all)
    }
}

impl Capture {
    pub(super) fn begin(&mut self, anchor: usize, depth: usize) {
        self.anchor = anchor;
        self.depth = depth;
        self.tree.clear();
        self.n_texts_open = 0;
        self.lacking = AllLacking::default();
        self.in_transaction = false;
        self.is_too_large = false;
    }

    /// Keeps the element that begins: its wanted attributes, and a place for its text.
    pub(super) fn keep<R: Read>(
        &mut self,
        parent: Option<NodeId>,
        want: usize,
        name: Name,
        set: &Ruleset,
        reader: &Reader<R>,
        tag: &StartTag,
    ) -> Option<Kept> {
        let anchor = set.anchors.get(self.anchor)?;
        let it = anchor.wants.list.get(want)?;
        let node = self.tree.add(parent, name, tag.line);
        if !it.attributes.is_empty() {
            for (name, value) in set.names.of_attributes(tag, reader) {
                if it.attributes.contains(&name) {
                    self.tree.add_attribute(node, name, value);
                }
            }
        }
        self.n_texts_open += usize::from(it.text);
        Some(Kept {
            capture: 0,
            want,
            node,
            text: it.text,
            has_text: it.has_text,
        })
    }

    /// Counts what the element that begins lacks, so many elements below the one around the anchor.
    pub(super) fn count_lacking<R: Read>(
        &mut self,
        name: Name,
        n_above: usize,
        counted: &Counted,
        line: u64,
        reader: &Reader<R>,
    ) {
        if name == counted.narrative {
            if reader.language().is_none() {
                self.lacking.of(All::Languages).add(line);
            }
        } else if counted.amounts.contains(&name) {
            if reader.attribute("currency").is_none() {
                self.lacking.of(All::Currencies).add(line);
            }
        } else if n_above == 1 && name == counted.transaction {
            self.in_transaction = true;
            self.has = [false; 2];
        } else if n_above == 2 {
            self.has[0] |= name == counted.sector;
            self.has[1] |= counted.places.contains(&name);
        }
    }

    pub(super) fn text(&mut self, text: &str, bytes_max: usize) {
        if self.n_texts_open > 0 && !self.is_too_large {
            self.is_too_large = self.tree.size() + text.len() > bytes_max;
            if !self.is_too_large {
                self.tree.add_text(text);
            }
        }
    }

    /// Counts what the transaction that ends lacks.
    pub(super) fn end_transaction(&mut self, kept: Option<&Kept>) {
        self.in_transaction = false;
        let line = kept.map_or(0, |kept| self.tree.line(kept.node));
        for (has, all) in self.has.into_iter().zip([All::Sectors, All::Places]) {
            if !has {
                self.lacking.of(all).add(line);
            }
        }
    }

    /// Asks the anchor's cases; the element has just ended.
    pub(super) fn ask<R: Read>(
        &self,
        anchor: &Anchor,
        (context, now): (&Context, Moment),
        reader: &Reader<R>,
        sink: &mut dyn FnMut(Finding),
    ) {
        if self.is_too_large {
            let message = format!("{} is too large for its rules to be asked", reader.name());
            sink(
                Finding::new(Severity::Warning, "rules-too-large", message)
                    .at_line(self.tree.line(0), reader.path()),
            );
            return;
        }
        let world = World {
            now,
            organisations: &context.organisations,
            agencies: &context.agencies,
        };
        for group in &anchor.groups {
            let scene = Scene {
                tree: &self.tree,
                variable: None,
            };
            scene.walk(&group.way, 0, &mut |item| {
                let Item::Element(at) = item else {
                    return false;
                };
                for case in &group.cases {
                    let Some(each) = &case.each else {
                        self.one(case, scene, at, world, reader, sink);
                        continue;
                    };
                    let mut values = BTreeSet::new();
                    scene.walk(each, at, &mut |item| {
                        values.insert(scene.text_of(item));
                        false
                    });
                    for value in values {
                        let scene = Scene {
                            tree: &self.tree,
                            variable: Some(value),
                        };
                        self.one(case, scene, at, world, reader, sink);
                    }
                }
                false
            });
        }
    }

    /// Asks one case at one element.
    fn one<R: Read>(
        &self,
        case: &Case,
        scene: Scene<'_>,
        at: NodeId,
        world: World<'_>,
        reader: &Reader<R>,
        sink: &mut dyn FnMut(Finding),
    ) {
        let lacking = |all: All| {
            let lacking = self.lacking.seen(all);
            (lacking.count, lacking.line)
        };
        if let Answer::Broken { line, found } = case.ask(scene, at, world, lacking) {
            let line = line.unwrap_or_else(|| self.tree.line(at));
            sink(finding(case, line, &found, scene.variable, reader));
        }
    }
}

#[cold]
fn finding<R: Read>(
    case: &Case,
    line: u64,
    found: &str,
    value: Option<&str>,
    reader: &Reader<R>,
) -> Finding {
    let says = value.map_or_else(
        || Cow::Borrowed(case.says.as_str()),
        |value| Cow::Owned(case.says.replace("$1", value)),
    );
    let message = if found.is_empty() {
        format!("has to be so that {says}")
    } else {
        format!("has to be so that {says}: {found}")
    };
    Finding {
        category: Cow::Owned(case.category.clone()),
        ..Finding::new(case.severity, case.id.clone(), message).at_line(line, reader.path())
    }
}

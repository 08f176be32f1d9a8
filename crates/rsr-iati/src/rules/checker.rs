//! Asks rules while a document is read.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read;

use crate::report::{Finding, Severity};
use crate::schema::StartTag;
use crate::xml::{Reader, Token};

use super::Context;
use super::case::{All, Answer, Case, World};
use super::date::{self, Moment};
use super::eval::{Item, Scene};
use super::ruleset::{Anchor, Counted, Ruleset};
use super::tree::{NodeId, Tree};
use super::xpath::Name;

/// Asks the rules of one document, element by element.
#[derive(Debug)]
pub struct Checker<'r> {
    set: &'r Ruleset,
    context: &'r Context,
    now: Moment,
    /// For each open element, where its entries in `active` begin.
    frames: Vec<usize>,
    /// The steps of contexts that were reached; `true`: only those of its children count that may be anywhere below.
    active: Vec<(u16, bool)>,
    /// Captures, the open ones first, outermost first. The others are kept for their memory.
    captures: Vec<Capture>,
    n_open: usize,
    scratch: Tree,
}

/// What is kept of one element that is open.
#[derive(Debug, Default)]
struct Capture {
    anchor: usize,
    tree: Tree,
    /// For each open element from the anchor on, what is wanted of it and its node.
    path: Vec<Option<Kept>>,
    n_texts_open: usize,
    lacking: AllLacking,
    has: [bool; 2],
    in_transaction: bool,
    is_too_large: bool,
}

/// An open element of which something is kept.
#[derive(Clone, Copy, Debug)]
struct Kept {
    want: usize,
    node: NodeId,
    /// Its text is wanted.
    text: bool,
    /// Whether it has text of its own is wanted.
    has_text: bool,
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

impl<'r> Checker<'r> {
    /// A checker for one document.
    #[must_use]
    pub fn new(set: &'r Ruleset, context: &'r Context) -> Self {
        Self {
            set,
            context,
            now: date::of_clock(context.now),
            frames: Vec::new(),
            active: Vec::new(),
            captures: Vec::new(),
            n_open: 0,
            scratch: Tree::default(),
        }
    }

    /// Looks at the token that the reader stands on.
    pub fn check<R: Read>(&mut self, reader: &Reader<R>, sink: &mut dyn FnMut(Finding)) {
        match reader.token() {
            Token::Start => self.start(reader, StartTag::of(reader, 0)),
            Token::Text => self.text(reader),
            Token::End => self.end(reader, sink),
            Token::Done => {}
        }
    }

    /// Looks at a piece of text.
    pub(crate) fn text<R: Read>(&mut self, reader: &Reader<R>) {
        for capture in self.captures.iter_mut().take(self.n_open) {
            capture.text(reader.text(), self.context.kept_bytes_max);
        }
    }

    /// Looks at a start tag.
    pub(crate) fn start<R: Read>(&mut self, reader: &Reader<R>, tag: StartTag) {
        let name = self.set.names.of_tag(tag, reader);
        let line = tag.line;
        for capture in self.captures.iter_mut().take(self.n_open) {
            capture.start(name, line, reader, self.set, self.context.kept_bytes_max);
        }
        self.reach(name, line, reader);
    }

    /// Follows the contexts down to the element that begins.
    fn reach<R: Read>(&mut self, name: Option<Name>, line: u64, reader: &Reader<R>) {
        let begin = self.active.len();
        let above = self.frames.last().copied();
        self.frames.push(begin);
        let parents = above.map_or(0..0, |from| from..begin);
        let mut place = parents.start;
        // Above the root there is the first step alone.
        let mut root = above.is_none().then_some((0, false));
        while let Some((step, only_deep)) = root.take().or_else(|| {
            let next = parents
                .contains(&place)
                .then(|| self.active.get(place).copied())
                .flatten();
            place += 1;
            next
        }) {
            let Some(node) = self.set.steps.get(usize::from(step)) else {
                continue;
            };
            if node.has_deep_child {
                self.active.push((step, true));
            }
            let Some(name) = name.filter(|name| node.may_have(*name)) else {
                continue;
            };
            for child in &node.children {
                let Some(child_node) = self.set.steps.get(usize::from(*child)) else {
                    continue;
                };
                let is_here = child_node.name == name && (child_node.deep || !only_deep);
                if !is_here
                    || self
                        .active
                        .get(begin..)
                        .is_some_and(|new| new.contains(&(*child, false)))
                {
                    continue;
                }
                if !child_node.predicates.is_empty() {
                    self.scratch.clear();
                    let top = self.scratch.add(None, name, line);
                    for attribute in reader.attributes() {
                        if let Some(name) = self.set.names.find(attribute.name) {
                            self.scratch.add_attribute(top, name, attribute.value);
                        }
                    }
                    let scene = Scene {
                        tree: &self.scratch,
                        variable: None,
                    };
                    if !child_node
                        .predicates
                        .iter()
                        .all(|predicate| scene.is_true(predicate, top))
                    {
                        continue;
                    }
                }
                self.active.push((*child, false));
                if let Some(anchor) = child_node.anchor {
                    self.open(usize::from(anchor), name, line, reader);
                }
            }
        }
    }

    fn open<R: Read>(&mut self, anchor: usize, name: Name, line: u64, reader: &Reader<R>) {
        if self.captures.len() == self.n_open {
            self.captures.push(Capture::default());
        }
        if let Some(capture) = self.captures.get_mut(self.n_open) {
            capture.begin(anchor, name, line, reader, self.set);
            self.n_open += 1;
        }
    }

    /// Looks at an end tag.
    pub(crate) fn end<R: Read>(&mut self, reader: &Reader<R>, sink: &mut dyn FnMut(Finding)) {
        if let Some(begin) = self.frames.pop() {
            self.active.truncate(begin);
        }
        for place in 0..self.n_open {
            let Some(capture) = self.captures.get_mut(place) else {
                break;
            };
            capture.end();
            if capture.path.is_empty() {
                if let Some(anchor) = self.set.anchors.get(capture.anchor) {
                    capture.ask(anchor, (self.context, self.now), reader, sink);
                }
                capture.tree.clear();
                capture.tree.shrink(4096);
            }
        }
        while self.n_open > 0
            && self
                .captures
                .get(self.n_open - 1)
                .is_some_and(|capture| capture.path.is_empty())
        {
            self.n_open -= 1;
        }
    }
}

impl Capture {
    fn begin<R: Read>(
        &mut self,
        anchor: usize,
        name: Name,
        line: u64,
        reader: &Reader<R>,
        set: &Ruleset,
    ) {
        self.anchor = anchor;
        self.tree.clear();
        self.path.clear();
        self.n_texts_open = 0;
        self.lacking = AllLacking::default();
        self.in_transaction = false;
        self.is_too_large = false;
        self.keep(None, 0, name, line, reader, set);
    }

    /// Keeps the element that begins: its wanted attributes, and a place for its text.
    fn keep<R: Read>(
        &mut self,
        parent: Option<NodeId>,
        want: usize,
        name: Name,
        line: u64,
        reader: &Reader<R>,
        set: &Ruleset,
    ) {
        let Some(it) = set
            .anchors
            .get(self.anchor)
            .and_then(|anchor| anchor.wants.list.get(want))
        else {
            return;
        };
        let node = self.tree.add(parent, name, line);
        self.path.push(Some(Kept {
            want,
            node,
            text: it.text,
            has_text: it.has_text,
        }));
        if !it.attributes.is_empty() {
            for attribute in reader.attributes() {
                if let Some(name) = set
                    .names
                    .find(attribute.name)
                    .filter(|name| it.attributes.contains(name))
                {
                    self.tree.add_attribute(node, name, attribute.value);
                }
            }
        }
        self.n_texts_open += usize::from(it.text);
    }

    fn start<R: Read>(
        &mut self,
        name: Option<Name>,
        line: u64,
        reader: &Reader<R>,
        set: &Ruleset,
        bytes_max: usize,
    ) {
        let Some(anchor) = set.anchors.get(self.anchor) else {
            return;
        };
        if let Some(name) = name.filter(|_| anchor.counts_lacking) {
            self.count_lacking(name, &set.counted, line, reader);
        }
        let wanted = self.path.last().copied().flatten().and_then(|parent| {
            let name = name?;
            let want = anchor.wants.list.get(parent.want)?;
            if want.children_bits >> (name % 64) & 1 == 0 {
                return None;
            }
            let (_, child) = want.children.iter().find(|(known, _)| *known == name)?;
            Some((parent.node, *child, name))
        });
        match wanted {
            Some((parent, want, name)) if !self.is_too_large => {
                self.keep(Some(parent), want, name, line, reader, set);
                self.is_too_large = self.tree.size() > bytes_max;
            }
            _ => self.path.push(None),
        }
    }

    fn count_lacking<R: Read>(
        &mut self,
        name: Name,
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
        } else if self.path.len() == 1 && name == counted.transaction {
            self.in_transaction = true;
            self.has = [false; 2];
        } else if self.path.len() == 2 {
            self.has[0] |= name == counted.sector;
            self.has[1] |= counted.places.contains(&name);
        }
    }

    fn text(&mut self, text: &str, bytes_max: usize) {
        if self.n_texts_open > 0 && !self.is_too_large {
            self.is_too_large = self.tree.size() + text.len() > bytes_max;
            if !self.is_too_large {
                self.tree.add_text(text);
            }
        }
        if let Some(Some(Kept {
            node,
            has_text: true,
            ..
        })) = self.path.last()
            && !text.is_empty()
        {
            self.tree.mark_text(*node);
        }
    }

    fn end(&mut self) {
        let Some(ended) = self.path.pop() else { return };
        if self.path.len() == 1 && self.in_transaction {
            self.in_transaction = false;
            let line = ended.map_or(0, |kept| self.tree.line(kept.node));
            for (has, all) in self.has.into_iter().zip([All::Sectors, All::Places]) {
                if !has {
                    self.lacking.of(all).add(line);
                }
            }
        }
        if let Some(kept) = ended.filter(|kept| kept.text) {
            self.n_texts_open -= 1;
            self.tree.end_text(kept.node);
        }
    }

    /// Asks the anchor's cases; the element has just ended.
    fn ask<R: Read>(
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

//! Asks rules while a document is read.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read;

use crate::report::{Finding, Severity};
use crate::xml::{Reader, Token};

use super::case::{All, Answer, Case, World};
use super::eval::{Item, Scene};
use super::ruleset::{Anchor, Ruleset};
use super::tree::{NodeId, Tree};
use super::xpath::Name;
use super::{Context, date};

/// Asks the rules of one document, element by element.
#[derive(Debug)]
pub struct Checker<'r> {
    set: &'r Ruleset,
    context: &'r Context,
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
    path: Vec<Option<(usize, NodeId)>>,
    n_texts_open: usize,
    lacking: AllLacking,
    has: [bool; 2],
    in_transaction: bool,
    is_too_large: bool,
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
            Token::Start => self.start(reader),
            Token::Text => {
                for capture in self.captures.iter_mut().take(self.n_open) {
                    capture.text(reader.text(), self.set, self.context.kept_bytes_max);
                }
            }
            Token::End => self.end(reader, sink),
            Token::Done => {}
        }
    }

    fn start<R: Read>(&mut self, reader: &Reader<R>) {
        let name = if reader.is_unqualified() {
            self.set.names.find(reader.local_name())
        } else {
            None
        };
        let line = reader.end_line();
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
            let Some(name) = name else { continue };
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

    fn end<R: Read>(&mut self, reader: &Reader<R>, sink: &mut dyn FnMut(Finding)) {
        if let Some(begin) = self.frames.pop() {
            self.active.truncate(begin);
        }
        for place in 0..self.n_open {
            let Some(capture) = self.captures.get_mut(place) else {
                break;
            };
            capture.end(self.set);
            if capture.path.is_empty() {
                if let Some(anchor) = self.set.anchors.get(capture.anchor) {
                    capture.ask(anchor, self.context, reader, sink);
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
        let node = self.tree.add(parent, name, line);
        self.path.push(Some((want, node)));
        let Some(it) = set
            .anchors
            .get(self.anchor)
            .and_then(|anchor| anchor.wants.list.get(want))
        else {
            return;
        };
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
        if anchor.counts_lacking && reader.is_unqualified() {
            self.count_lacking(line, reader);
        }
        let wanted = self
            .path
            .last()
            .copied()
            .flatten()
            .and_then(|(want, node)| {
                let children = &anchor.wants.list.get(want)?.children;
                let name = name?;
                let child = children.iter().copied().find(|child| {
                    anchor
                        .wants
                        .list
                        .get(*child)
                        .is_some_and(|want| want.name == name)
                })?;
                Some((node, child, name))
            });
        match wanted {
            Some((parent, want, name)) if !self.is_too_large => {
                self.keep(Some(parent), want, name, line, reader, set);
                self.is_too_large = self.tree.size() > bytes_max;
            }
            _ => self.path.push(None),
        }
    }

    fn count_lacking<R: Read>(&mut self, line: u64, reader: &Reader<R>) {
        match (self.path.len(), reader.local_name()) {
            (_, "narrative") if reader.attribute("xml:lang").is_none() => {
                self.lacking.of(All::Languages).add(line);
            }
            (_, "value" | "forecast" | "loan-status") if reader.attribute("currency").is_none() => {
                self.lacking.of(All::Currencies).add(line);
            }
            (1, "transaction") => {
                self.in_transaction = true;
                self.has = [false; 2];
            }
            (2, "sector") => self.has[0] = true,
            (2, "recipient-country" | "recipient-region") => self.has[1] = true,
            _ => {}
        }
    }

    fn text(&mut self, text: &str, set: &Ruleset, bytes_max: usize) {
        if self.n_texts_open > 0 && !self.is_too_large {
            self.is_too_large = self.tree.size() + text.len() > bytes_max;
            if !self.is_too_large {
                self.tree.add_text(text);
            }
        }
        if let Some(Some((want, node))) = self.path.last() {
            let wants = set
                .anchors
                .get(self.anchor)
                .and_then(|anchor| anchor.wants.list.get(*want));
            if wants.is_some_and(|want| want.has_text) && !text.is_empty() {
                self.tree.mark_text(*node);
            }
        }
    }

    fn end(&mut self, set: &Ruleset) {
        let Some(ended) = self.path.pop() else { return };
        if self.path.len() == 1 && self.in_transaction {
            self.in_transaction = false;
            let line = ended.map_or(0, |(_, node)| self.tree.line(node));
            for (has, all) in self.has.into_iter().zip([All::Sectors, All::Places]) {
                if !has {
                    self.lacking.of(all).add(line);
                }
            }
        }
        let Some((want, node)) = ended else { return };
        let has_text = set
            .anchors
            .get(self.anchor)
            .and_then(|anchor| anchor.wants.list.get(want))
            .is_some_and(|want| want.text);
        if has_text {
            self.n_texts_open -= 1;
            self.tree.end_text(node);
        }
    }

    /// Asks the anchor's cases; the element has just ended.
    fn ask<R: Read>(
        &self,
        anchor: &Anchor,
        context: &Context,
        reader: &Reader<R>,
        sink: &mut dyn FnMut(Finding),
    ) {
        if self.is_too_large {
            sink(Finding {
                code: Cow::Borrowed("rules-too-large"),
                severity: Severity::Warning,
                category: Cow::Borrowed("iati"),
                message: format!("{} is too large for its rules to be asked", reader.name()),
                path: reader.path(),
                line: self.tree.line(0),
                codelist: None,
            });
            return;
        }
        let world = World {
            now: date::of_clock(context.now),
            organisations: &context.organisations,
            agencies: &context.agencies,
        };
        for group in &anchor.groups {
            let scene = Scene {
                tree: &self.tree,
                variable: None,
            };
            for item in scene.nodes(&group.way, 0) {
                let Item::Element(at) = item else { continue };
                for case in &group.cases {
                    let Some(each) = &case.each else {
                        self.one(case, scene, at, world, reader, sink);
                        continue;
                    };
                    let values: BTreeSet<&str> = scene
                        .nodes(each, at)
                        .into_iter()
                        .map(|item| scene.text_of(item))
                        .collect();
                    for value in values {
                        let scene = Scene {
                            tree: &self.tree,
                            variable: Some(value),
                        };
                        self.one(case, scene, at, world, reader, sink);
                    }
                }
            }
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
        code: Cow::Owned(case.id.clone()),
        severity: case.severity,
        category: Cow::Owned(case.category.clone()),
        message,
        path: reader.path(),
        line,
        codelist: None,
    }
}

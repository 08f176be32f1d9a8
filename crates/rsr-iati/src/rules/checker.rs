//! Asks rules while a document is read.

use std::io::Read;

use crate::report::Finding;
use crate::schema::StartTag;
use crate::xml::{Reader, Token};

use super::Context;
use super::capture::{Capture, Kept};
use super::date::{self, Moment};
use super::eval::Scene;
use super::ruleset::Ruleset;
use super::tree::Tree;
use super::xpath::{Expr, Name, NameBits};

/// Asks the rules of one document, element by element.
#[derive(Debug)]
pub struct Checker<'r> {
    set: &'r Ruleset,
    context: &'r Context,
    now: Moment,
    /// One for each open element.
    frames: Vec<Frame>,
    /// The steps of contexts that were reached; the first stands above the root.
    active: Vec<u16>,
    /// Those that have children which may be anywhere below.
    deep: Vec<u16>,
    /// What is kept of open elements.
    kept: Vec<Kept>,
    /// Captures, the open ones first, outermost first. The others are kept for their memory.
    captures: Vec<Capture>,
    n_open: usize,
    /// Open captures that count what lacks something, by their place.
    counting: Vec<usize>,
    /// Open elements whose text is wanted.
    n_texts_open: usize,
    scratch: Tree,
}

/// Where the entries of an open element begin.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    active: usize,
    deep: usize,
    kept: usize,
    /// The names of children that go on with a step that was reached here, and above.
    child_names: NameBits,
    deep_names: NameBits,
}

impl<'r> Checker<'r> {
    /// A checker for one document.
    #[must_use]
    pub fn new(set: &'r Ruleset, context: &'r Context) -> Self {
        let root = set.steps.first();
        Self {
            set,
            context,
            now: date::of_clock(context.now),
            frames: Vec::new(),
            active: vec![0],
            deep: root
                .filter(|root| root.has_deep_child)
                .map(|_| 0)
                .into_iter()
                .collect(),
            kept: Vec::new(),
            captures: Vec::new(),
            n_open: 0,
            counting: Vec::new(),
            n_texts_open: 0,
            scratch: Tree::default(),
        }
    }

    /// Makes it ready for another document, keeping its memory.
    pub(crate) fn restart(&mut self) {
        self.frames.clear();
        self.active.truncate(1);
        self.deep.truncate(usize::from(
            self.set
                .steps
                .first()
                .is_some_and(|root| root.has_deep_child),
        ));
        self.kept.clear();
        self.n_open = 0;
        self.counting.clear();
        self.n_texts_open = 0;
    }

    /// Looks at the token that the reader stands on.
    pub fn check<R: Read>(&mut self, reader: &Reader<R>, sink: &mut dyn FnMut(Finding)) {
        match reader.token() {
            Token::Start => self.start(reader, &StartTag::of(reader, 0)),
            Token::Text => self.text(reader),
            Token::End => self.end(reader, sink),
            Token::Done => {}
        }
    }

    /// Whether white space alone, at this place, is wanted.
    pub(crate) fn minds_blanks(&self) -> bool {
        self.n_texts_open > 0 || self.kept_of_innermost().any(|kept| kept.has_text)
    }

    fn kept_of_innermost(&self) -> impl Iterator<Item = &Kept> {
        let from = self.frames.last().map_or(0, |frame| frame.kept);
        self.kept.get(from..).unwrap_or_default().iter()
    }

    /// Looks at a piece of text.
    pub(crate) fn text<R: Read>(&mut self, reader: &Reader<R>) {
        let from = self.frames.last().map_or(0, |frame| frame.kept);
        let kept = self.kept.get(from..).unwrap_or_default();
        if self.n_texts_open == 0 && kept.is_empty() {
            return;
        }
        let text = reader.text();
        if self.n_texts_open > 0 {
            for capture in self.captures.iter_mut().take(self.n_open) {
                capture.text(text, self.context.kept_bytes_max);
            }
        }
        for kept in kept.iter().filter(|kept| kept.has_text && !text.is_empty()) {
            if let Some(capture) = self.captures.get_mut(kept.capture) {
                capture.tree.mark_text(kept.node);
            }
        }
    }

    /// Looks at a start tag.
    pub(crate) fn start<R: Read>(&mut self, reader: &Reader<R>, tag: &StartTag) {
        let name = self.set.names.of_tag(tag, reader);
        let depth = self.frames.len();
        let above = self
            .frames
            .last()
            .copied()
            .unwrap_or_else(|| self.above_root());
        let mut frame = Frame {
            active: self.active.len(),
            deep: self.deep.len(),
            kept: self.kept.len(),
            child_names: NameBits::default(),
            deep_names: above.deep_names,
        };
        if frame.deep > above.deep {
            frame.deep_names.add_all(above.child_names);
        }
        self.frames.push(frame);
        if let Some(name) = name {
            for place in &self.counting {
                if let Some(capture) = self.captures.get_mut(*place) {
                    let n_above = depth - capture.depth;
                    capture.count_lacking(name, n_above, &self.set.counted, tag.line, reader);
                }
            }
            for place in above.kept..frame.kept {
                self.child(place, name, reader, tag);
            }
            if above.child_names.may_have(name) || above.deep_names.may_have(name) {
                self.reach(name, above, reader, tag);
            }
        }
    }

    fn above_root(&self) -> Frame {
        Frame {
            child_names: self
                .set
                .steps
                .first()
                .map_or(NameBits::default(), |root| root.child_names),
            ..Frame::default()
        }
    }

    /// Keeps the element that begins, where it is wanted of one that is kept.
    fn child<R: Read>(&mut self, parent: usize, name: Name, reader: &Reader<R>, tag: &StartTag) {
        let Some(parent) = self.kept.get(parent).copied() else {
            return;
        };
        let Some(capture) = self.captures.get_mut(parent.capture) else {
            return;
        };
        let wants = self.set.anchors.get(capture.anchor);
        let wanted = wants
            .and_then(|anchor| anchor.wants.list.get(parent.want))
            .filter(|want| want.child_names.may_have(name))
            .and_then(|want| want.children.iter().find(|(known, _)| *known == name));
        if let Some((_, want)) = wanted
            && !capture.is_too_large
        {
            let kept = capture.keep(Some(parent.node), *want, name, self.set, reader, tag);
            capture.is_too_large = capture.tree.size() > self.context.kept_bytes_max;
            self.add(parent.capture, kept);
        }
    }

    fn add(&mut self, capture: usize, kept: Option<Kept>) {
        if let Some(kept) = kept {
            self.n_texts_open += usize::from(kept.text);
            self.kept.push(Kept { capture, ..kept });
        }
    }

    /// Follows the contexts down to the element that begins: from the steps that its parent reached, and from those further
    /// up whose children may be anywhere below.
    fn reach<R: Read>(&mut self, name: Name, above: Frame, reader: &Reader<R>, tag: &StartTag) {
        let set = self.set;
        let begin = self.active.len();
        for place in 0..above.deep {
            self.follow(
                self.deep.get(place).copied(),
                true,
                name,
                begin,
                reader,
                tag,
            );
        }
        for place in above.active..begin {
            self.follow(
                self.active.get(place).copied(),
                false,
                name,
                begin,
                reader,
                tag,
            );
        }
        let mut names = NameBits::default();
        for step in self.active.get(begin..).unwrap_or_default() {
            if let Some(node) = set.steps.get(usize::from(*step)) {
                names.add_all(node.child_names);
            }
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.child_names = names;
        }
    }

    /// Takes in the children of one step that bear this name, or those alone that may be anywhere below.
    fn follow<R: Read>(
        &mut self,
        step: Option<u16>,
        only_deep: bool,
        name: Name,
        begin: usize,
        reader: &Reader<R>,
        tag: &StartTag,
    ) {
        let set = self.set;
        let Some(node) = step.and_then(|step| set.steps.get(usize::from(step))) else {
            return;
        };
        for child in &node.children {
            let Some(child_node) = set.steps.get(usize::from(*child)) else {
                continue;
            };
            let is_here = child_node.name == name && (child_node.deep || !only_deep);
            let is_new = |new: &[u16]| !new.contains(child);
            if !is_here
                || !self.active.get(begin..).is_some_and(is_new)
                || !self.passes(&child_node.predicates, name, reader, tag)
            {
                continue;
            }
            self.active.push(*child);
            if child_node.has_deep_child {
                self.deep.push(*child);
            }
            if let Some(anchor) = child_node.anchor {
                self.open(usize::from(anchor), name, reader, tag);
            }
        }
    }

    /// Whether the element that begins fits all of these, which look at its attributes alone.
    fn passes<R: Read>(
        &mut self,
        predicates: &[Expr],
        name: Name,
        reader: &Reader<R>,
        tag: &StartTag,
    ) -> bool {
        if predicates.is_empty() {
            return true;
        }
        self.scratch.clear();
        let top = self.scratch.add(None, name, tag.line);
        for (name, value) in self.set.names.of_attributes(tag, reader) {
            self.scratch.add_attribute(top, name, value);
        }
        let scene = Scene {
            tree: &self.scratch,
            variable: None,
        };
        predicates
            .iter()
            .all(|predicate| scene.is_true(predicate, top))
    }

    fn open<R: Read>(&mut self, anchor: usize, name: Name, reader: &Reader<R>, tag: &StartTag) {
        if self.captures.len() == self.n_open {
            self.captures.push(Capture::default());
        }
        let place = self.n_open;
        if let Some(capture) = self.captures.get_mut(place) {
            self.n_open += 1;
            capture.begin(anchor, self.frames.len() - 1);
            let kept = capture.keep(None, 0, name, self.set, reader, tag);
            self.add(place, kept);
            if self
                .set
                .anchors
                .get(anchor)
                .is_some_and(|it| it.counts_lacking)
            {
                self.counting.push(place);
            }
        }
    }

    /// Looks at an end tag.
    pub(crate) fn end<R: Read>(&mut self, reader: &Reader<R>, sink: &mut dyn FnMut(Finding)) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let depth = self.frames.len();
        self.active.truncate(frame.active);
        self.deep.truncate(frame.deep);
        let ended = self.kept.get(frame.kept..).unwrap_or_default();
        for place in &self.counting {
            if let Some(capture) = self.captures.get_mut(*place)
                && capture.in_transaction
                && depth == capture.depth + 1
            {
                capture.end_transaction(ended.iter().find(|kept| kept.capture == *place));
            }
        }
        for kept in ended.iter().filter(|kept| kept.text) {
            self.n_texts_open -= 1;
            if let Some(capture) = self.captures.get_mut(kept.capture) {
                capture.n_texts_open -= 1;
                capture.tree.end_text(kept.node);
            }
        }
        self.kept.truncate(frame.kept);
        let innermost = self
            .n_open
            .checked_sub(1)
            .and_then(|place| self.captures.get(place));
        if innermost.is_some_and(|capture| capture.depth == depth) {
            self.end_captures(depth, reader, sink);
        }
    }

    /// Asks the cases of the captures whose anchor has ended.
    fn end_captures<R: Read>(
        &mut self,
        depth: usize,
        reader: &Reader<R>,
        sink: &mut dyn FnMut(Finding),
    ) {
        let open = self.captures.get(..self.n_open).unwrap_or_default();
        let n_left = open.partition_point(|capture| capture.depth < depth);
        for place in n_left..self.n_open {
            let Some(capture) = self.captures.get_mut(place) else {
                break;
            };
            if let Some(anchor) = self.set.anchors.get(capture.anchor) {
                capture.ask(anchor, (self.context, self.now), reader, sink);
            }
            capture.tree.clear();
            capture.tree.shrink(4096);
        }
        self.n_open = n_left;
        while self.counting.last().is_some_and(|place| *place >= n_left) {
            self.counting.pop();
        }
    }
}

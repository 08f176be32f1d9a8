//! Codes that are not on their codelist.
//!
//! Which attribute takes its codes from which list, and the codes themselves, are the official validator's, compiled in
//! as tables (`generated.rs`, refreshed by `cargo xtask iati-codelists FILE`). The ids, categories and severities of the
//! findings are its as well, and so is what it does not ask: its rule for `xml:lang` (9.95.1) has the root for its path,
//! so it never applies. The lists are those of version 2.03 and are asked for files of 2.01 and later.
//! **Source:** IATI-Validator-Codelists, version 2.03.

#[rustfmt::skip]
mod generated;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::Read;
use std::sync::LazyLock;

use crate::report::{Finding, Severity};
use crate::schema::{N_NAMES, StartTag, number_of_name};
use crate::xml::{Reader, Token};

use generated::{LISTS, RULES};

/// An attribute (or "text()") that holds a code of one list.
#[derive(Debug)]
struct Rule {
    path: &'static str,
    attribute: &'static str,
    /// The attribute beside it that decides, the value it has to have, and whether that counts where it is absent.
    when: Option<(&'static str, &'static str, bool)>,
    list: usize,
    id: &'static str,
    severity: Severity,
    category: &'static str,
}

/// A codelist.
#[derive(Debug)]
struct List {
    name: &'static str,
    codes: &'static [&'static str],
}

/// One element on the way to a rule.
#[derive(Debug)]
struct Node {
    /// By the number that the schemas' tables give the name.
    children: [u16; N_NAMES],
    rules: Vec<&'static Rule>,
    /// The rules of attributes again, by the number of the attribute's name.
    by_attribute: Vec<(usize, &'static Rule)>,
    has_text_rule: bool,
}

impl Node {
    const NEW: Self = Self {
        children: [NOWHERE; N_NAMES],
        rules: Vec::new(),
        by_attribute: Vec::new(),
        has_text_rule: false,
    };

    /// Where the rules of a child lie; [`NOWHERE`] where it has none.
    fn child(&self, tag: &StartTag) -> u16 {
        let name = tag.known_name();
        name.and_then(|name| self.children.get(name).copied())
            .unwrap_or(NOWHERE)
    }
}

/// The rules as a tree of element names. The first node is the place above the root.
static TREE: LazyLock<Vec<Node>> = LazyLock::new(|| {
    let mut nodes = vec![Node::NEW];
    for rule in &RULES {
        let mut at = 0;
        // Every name of the rules is one of the schemas; a test holds that.
        let names = rule.path.split('/').filter_map(number_of_name);
        for name in names {
            let next = nodes.len();
            let child = nodes
                .get_mut(at)
                .and_then(|node| node.children.get_mut(name));
            at = match (child, u16::try_from(next)) {
                (Some(child), Ok(short)) if *child == NOWHERE => {
                    *child = short;
                    nodes.push(Node::NEW);
                    next
                }
                (Some(child), _) => usize::from(*child),
                (None, _) => at,
            };
        }
        if let Some(node) = nodes.get_mut(at) {
            node.rules.push(rule);
            let number = number_of_name(rule.attribute);
            node.by_attribute
                .extend(number.map(|number| (number, rule)));
            node.has_text_rule |= rule.attribute == TEXT;
        }
    }
    nodes
});

const TEXT: &str = "text()";

/// Bytes kept of a code; none is that long, so what is longer is on no list.
const CODE_BYTES_MAX: usize = 1024;

/// No rule lies on this element's path or below it.
const NOWHERE: u16 = u16::MAX;

/// Checks the codes of one document.
///
/// Memory: two bytes for each open element, and one code that stands in an element's text.
#[derive(Debug)]
pub struct Checker {
    tree: &'static [Node],
    places: Vec<u16>,
    text: String,
    line: u64,
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

impl Checker {
    /// A checker for one document.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tree: &TREE,
            places: Vec::new(),
            text: String::new(),
            line: 0,
        }
    }

    /// Looks at the token that the reader stands on.
    pub fn check<R: Read>(&mut self, reader: &Reader<R>, sink: &mut dyn FnMut(Finding)) {
        match reader.token() {
            Token::Start => self.start(reader, &StartTag::of(reader, 0), sink),
            Token::Text => self.text(reader),
            Token::End => self.end(reader, sink),
            Token::Done => {}
        }
    }

    /// Whether white space alone, at this place, may be part of a code.
    pub(crate) fn minds_blanks(&self) -> bool {
        self.node().is_some_and(|node| node.has_text_rule)
    }

    /// Looks at a piece of text.
    pub(crate) fn text<R: Read>(&mut self, reader: &Reader<R>) {
        if self.node().is_some_and(|node| node.has_text_rule) {
            let room = CODE_BYTES_MAX.saturating_sub(self.text.len());
            let text = reader.text();
            let kept = text.floor_char_boundary(room.min(text.len()));
            self.text.push_str(text.get(..kept).unwrap_or_default());
        }
    }

    /// Looks at an end tag.
    pub(crate) fn end<R: Read>(&mut self, reader: &Reader<R>, sink: &mut dyn FnMut(Finding)) {
        if let Some(node) = self.node().filter(|node| node.has_text_rule) {
            for rule in node.rules.iter().filter(|rule| rule.attribute == TEXT) {
                rule.check(&self.text, reader, self.line, sink);
            }
        }
        self.places.pop();
    }

    fn node(&self) -> Option<&'static Node> {
        self.tree.get(usize::from(*self.places.last()?))
    }

    /// Looks at a start tag.
    pub(crate) fn start<R: Read>(
        &mut self,
        reader: &Reader<R>,
        tag: &StartTag,
        sink: &mut dyn FnMut(Finding),
    ) {
        let above = self.places.last().copied().unwrap_or(0);
        let place = self
            .tree
            .get(usize::from(above))
            .map_or(NOWHERE, |node| node.child(tag));
        self.places.push(place);
        let Some(node) = self.tree.get(usize::from(place)) else {
            return;
        };
        if node.has_text_rule {
            self.text.clear();
            self.line = tag.line;
        }
        if node.by_attribute.is_empty() {
            return;
        }
        for place in 0..reader.n_attributes() {
            let name = usize::from(tag.attribute(place, reader));
            for (attribute, rule) in &node.by_attribute {
                if *attribute == name && rule.applies(reader) {
                    rule.check(reader.value_at(place), reader, tag.line, sink);
                }
            }
        }
    }
}

impl Rule {
    fn applies<R: Read>(&self, reader: &Reader<R>) -> bool {
        self.when.is_none_or(
            |(beside, value, is_default)| match reader.attribute(beside) {
                None | Some("") => is_default,
                Some(given) => given == value,
            },
        )
    }

    fn check<R: Read>(
        &self,
        code: &str,
        reader: &Reader<R>,
        line: u64,
        sink: &mut dyn FnMut(Finding),
    ) {
        let Some(list) = LISTS.get(self.list) else {
            return;
        };
        if list.codes.binary_search(&code).is_ok() {
            return;
        }
        let shown: String = code.chars().take(60).collect();
        let (message, path) = if self.attribute == TEXT {
            (
                format!("{shown:?} is not on the codelist {}", list.name),
                reader.path(),
            )
        } else {
            let when = self.when.map_or_else(String::new, |(beside, value, _)| {
                format!(" for {beside} {value}")
            });
            (
                format!(
                    "{} {shown:?} is not on the codelist {}{when}",
                    self.attribute, list.name
                ),
                format!("{}/@{}", reader.path(), self.attribute),
            )
        };
        sink(Finding {
            category: Cow::Borrowed(self.category),
            codelist: Some(Cow::Borrowed(list.name)),
            ..Finding::new(self.severity, self.id, message).at_line(line, path)
        });
    }
}

/// The rule behind a finding's code, in a sentence; `None` where no codelist rule bears it.
#[must_use]
pub fn explanation(id: &str) -> Option<String> {
    let rule = RULES.iter().find(|rule| rule.id == id)?;
    let list = LISTS.get(rule.list)?;
    let at = if rule.attribute == TEXT {
        "text".to_owned()
    } else {
        format!("attribute {}", rule.attribute)
    };
    let when = rule
        .when
        .map_or_else(String::new, |(beside, value, is_default)| {
            format!(
                " where {beside} is {value}{}",
                if is_default { " or absent" } else { "" }
            )
        });
    Some(format!(
        "The {at} of {}{when} holds a code of the codelist {}, which has {} codes.",
        rule.path,
        list.name,
        list.codes.len()
    ))
}

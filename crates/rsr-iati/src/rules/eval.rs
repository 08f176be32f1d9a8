//! What an expression means at a node.
//!
//! **Source:** XPath 1.0, sections 3.4 (comparisons of node sets) and 4.

use std::borrow::Cow;

use super::tree::{NodeId, Tree};
use super::xpath::{Comparison, Expr, Function, Step};

/// A member of a node set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Element(NodeId),
    /// The place of the attribute, and its element.
    Attribute(u32, NodeId),
    /// The text of an element.
    Text(NodeId),
}

/// The result of an expression.
#[derive(Clone, Debug)]
pub(super) enum Value<'t> {
    Nodes(Vec<Item>),
    Text(Cow<'t, str>),
    Number(f64),
    Bool(bool),
}

/// A tree with the value of the loop that is run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'t> {
    pub(super) tree: &'t Tree,
    pub(super) variable: Option<&'t str>,
}

impl<'t> Scene<'t> {
    pub(super) fn evaluate(self, expr: &Expr, at: NodeId) -> Value<'t> {
        match expr {
            Expr::Path(steps) => Value::Nodes(self.path(steps, at)),
            Expr::Text(text) => Value::Text(Cow::Owned(text.clone())),
            Expr::Variable => Value::Text(Cow::Borrowed(self.variable.unwrap_or("$1"))),
            Expr::Number(number) => Value::Number(*number),
            Expr::Or(left, right) => Value::Bool(self.is_true(left, at) || self.is_true(right, at)),
            Expr::And(left, right) => {
                Value::Bool(self.is_true(left, at) && self.is_true(right, at))
            }
            Expr::Compare(left, comparison, right) => {
                let (left, right) = (self.evaluate(left, at), self.evaluate(right, at));
                Value::Bool(self.compare(&left, *comparison, &right))
            }
            Expr::Add(left, right) => Value::Number(self.number(left, at) + self.number(right, at)),
            Expr::Union(left, right) => {
                let mut items = self.nodes(left, at);
                for item in self.nodes(right, at) {
                    if !items.contains(&item) {
                        items.push(item);
                    }
                }
                Value::Nodes(items)
            }
            Expr::Call(function, arguments) => self.call(*function, arguments.first(), at),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of nodes in memory")]
    fn call(self, function: Function, argument: Option<&Expr>, at: NodeId) -> Value<'t> {
        match (function, argument) {
            (Function::Count, Some(argument)) => {
                Value::Number(self.nodes(argument, at).len() as f64)
            }
            (Function::Not, Some(argument)) => Value::Bool(!self.is_true(argument, at)),
            (Function::Number, Some(argument)) => Value::Number(self.number(argument, at)),
            (Function::Text, Some(argument)) => Value::Text(Cow::Owned(
                self.text(&self.evaluate(argument, at)).into_owned(),
            )),
            (Function::True, _) => Value::Bool(true),
            _ => Value::Bool(false),
        }
    }

    /// The nodes that an expression selects; none where it selects no nodes.
    pub(super) fn nodes(self, expr: &Expr, at: NodeId) -> Vec<Item> {
        match self.evaluate(expr, at) {
            Value::Nodes(items) => items,
            _ => Vec::new(),
        }
    }

    pub(super) fn is_true(self, expr: &Expr, at: NodeId) -> bool {
        // Asked for so often that it is worth not gathering the nodes.
        if let Expr::Path(steps) = expr
            && let [Step::Attribute(name)] = steps.as_slice()
        {
            return self.tree.attribute(at, *name).is_some();
        }
        match self.evaluate(expr, at) {
            Value::Nodes(items) => !items.is_empty(),
            Value::Text(text) => !text.is_empty(),
            Value::Number(number) => number != 0.0 && !number.is_nan(),
            Value::Bool(truth) => truth,
        }
    }

    fn path(self, steps: &[Step], at: NodeId) -> Vec<Item> {
        let mut items = vec![Item::Element(at)];
        for step in steps {
            let mut next = Vec::new();
            for item in items {
                let Item::Element(id) = item else { continue };
                match step {
                    Step::Child { name, predicates } => {
                        self.children(id, *name, predicates, &mut next);
                    }
                    Step::Attribute(name) => {
                        next.extend(
                            self.tree
                                .attribute(id, *name)
                                .map(|place| Item::Attribute(place, id)),
                        );
                    }
                    Step::Text if self.tree.has_text(id) => next.push(Item::Text(id)),
                    Step::Text => {}
                    Step::Parent => {
                        let parent = self.tree.parent(id).map(Item::Element);
                        next.extend(parent.filter(|parent| !next.contains(parent)));
                    }
                    Step::This => next.push(item),
                }
            }
            items = next;
        }
        items
    }

    fn children(self, id: NodeId, name: u16, predicates: &[Expr], into: &mut Vec<Item>) {
        if predicates.is_empty() {
            into.extend(self.tree.children(id, name).map(Item::Element));
            return;
        }
        let mut kept: Vec<NodeId> = self.tree.children(id, name).collect();
        for predicate in predicates {
            let mut position = 0_u32;
            kept.retain(|child| {
                position += 1;
                match predicate {
                    Expr::Number(wanted) => f64::from(position) == *wanted,
                    _ => self.is_true(predicate, *child),
                }
            });
        }
        into.extend(kept.into_iter().map(Item::Element));
    }

    fn number(self, expr: &Expr, at: NodeId) -> f64 {
        self.to_number(&self.evaluate(expr, at))
    }

    fn to_number(self, value: &Value<'_>) -> f64 {
        match value {
            Value::Number(number) => *number,
            Value::Bool(truth) => f64::from(u8::from(*truth)),
            other => to_number(&self.text(other)),
        }
    }

    fn text<'v>(self, value: &'v Value<'t>) -> Cow<'v, str>
    where
        't: 'v,
    {
        match value {
            Value::Nodes(items) => items
                .first()
                .map_or(Cow::Borrowed(""), |item| Cow::Borrowed(self.text_of(*item))),
            Value::Text(text) => Cow::Borrowed(text),
            Value::Number(number) => Cow::Owned(number.to_string()),
            Value::Bool(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
        }
    }

    pub(super) fn text_of(self, item: Item) -> &'t str {
        match item {
            Item::Element(id) | Item::Text(id) => self.tree.text_of(id),
            Item::Attribute(place, _) => self.tree.attribute_value(place),
        }
    }

    fn compare(self, left: &Value<'t>, comparison: Comparison, right: &Value<'t>) -> bool {
        match (left, right) {
            (Value::Nodes(_), Value::Bool(truth)) | (Value::Bool(truth), Value::Nodes(_)) => {
                let Value::Nodes(nodes) = left else {
                    return self.compare(right, flipped(comparison), left);
                };
                numbers(
                    f64::from(u8::from(!nodes.is_empty())),
                    comparison,
                    f64::from(u8::from(*truth)),
                )
            }
            // True where it is true for any of the nodes.
            (Value::Nodes(items), _) => items.iter().any(|item| {
                let text = Value::Text(Cow::Borrowed(self.text_of(*item)));
                if matches!(right, Value::Nodes(_)) {
                    self.compare(right, flipped(comparison), &text)
                } else {
                    self.compare(&text, comparison, right)
                }
            }),
            (_, Value::Nodes(_)) => self.compare(right, flipped(comparison), left),
            (Value::Text(left), Value::Text(right)) if comparison == Comparison::Equal => {
                left == right
            }
            (Value::Text(left), Value::Text(right)) if comparison == Comparison::NotEqual => {
                left != right
            }
            _ => numbers(self.to_number(left), comparison, self.to_number(right)),
        }
    }
}

fn flipped(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::AtMost => Comparison::AtLeast,
        Comparison::Greater => Comparison::Less,
        Comparison::AtLeast => Comparison::AtMost,
        same => same,
    }
}

#[expect(clippy::float_cmp, reason = "XPath compares numbers so")]
fn numbers(left: f64, comparison: Comparison, right: f64) -> bool {
    match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::AtMost => left <= right,
        Comparison::Greater => left > right,
        Comparison::AtLeast => left >= right,
    }
}

/// A number as XPath reads it: digits with at most one point and a minus; everything else is none.
pub(super) fn to_number(text: &str) -> f64 {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let good = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.bytes().any(|b| b.is_ascii_digit());
    if good {
        text.parse().unwrap_or(f64::NAN)
    } else {
        f64::NAN
    }
}

//! What an expression means at a node.
//!
//! **Source:** XPath 1.0, sections 3.4 (comparisons of node sets) and 4.

use std::borrow::Cow;

use super::tree::{NodeId, Tree};
use super::xpath::{Comparison, Expr, Function, PREDICATES_MAX, Step};

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
enum Value<'e> {
    /// The nodes that an expression selects at a node; they are walked where they are asked for, and never gathered.
    Nodes(&'e Expr, NodeId),
    Text(Cow<'e, str>),
    Number(f64),
    Bool(bool),
}

/// What is done with each node of a set; `true` ends the walk.
type Visit<'v> = &'v mut dyn FnMut(Item) -> bool;

/// A tree with the value of the loop that is run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'t> {
    pub(super) tree: &'t Tree,
    pub(super) variable: Option<&'t str>,
}

impl<'t> Scene<'t> {
    fn evaluate<'e>(self, expr: &'e Expr, at: NodeId) -> Value<'e>
    where
        't: 'e,
    {
        match expr {
            Expr::Path(_) | Expr::Union(..) => Value::Nodes(expr, at),
            Expr::Text(text) => Value::Text(Cow::Borrowed(text)),
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
            Expr::Call(function, arguments) => self.call(*function, arguments.first(), at),
        }
    }

    fn call<'e>(self, function: Function, argument: Option<&'e Expr>, at: NodeId) -> Value<'e>
    where
        't: 'e,
    {
        match (function, argument) {
            (Function::Count, Some(argument)) => {
                let mut count = 0.0;
                self.walk(argument, at, &mut |_| {
                    count += 1.0;
                    false
                });
                Value::Number(count)
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

    pub(super) fn is_true(self, expr: &Expr, at: NodeId) -> bool {
        // Most of what is asked is one of these, and needs no value in between.
        match expr {
            Expr::Path(_) | Expr::Union(..) => return self.walk(expr, at, &mut |_| true),
            Expr::Or(left, right) => return self.is_true(left, at) || self.is_true(right, at),
            Expr::And(left, right) => return self.is_true(left, at) && self.is_true(right, at),
            Expr::Compare(left, comparison, right) => {
                if let Some(answer) = self.compare_attribute(left, *comparison, right, at) {
                    return answer;
                }
            }
            _ => {}
        }
        match self.evaluate(expr, at) {
            Value::Nodes(expr, at) => self.walk(expr, at, &mut |_| true),
            Value::Text(text) => !text.is_empty(),
            Value::Number(number) => number != 0.0 && !number.is_nan(),
            Value::Bool(truth) => truth,
        }
    }

    /// Whether an attribute of this element is or is not a given text; `None`: that is not what is asked.
    fn compare_attribute(
        self,
        left: &Expr,
        comparison: Comparison,
        right: &Expr,
        at: NodeId,
    ) -> Option<bool> {
        let Expr::Path(path) = left else { return None };
        let [Step::Attribute(name)] = *path.steps.as_slice() else {
            return None;
        };
        let text = match right {
            Expr::Text(text) => text,
            Expr::Variable => self.variable?,
            _ => return None,
        };
        let wanted = match comparison {
            Comparison::Equal => true,
            Comparison::NotEqual => false,
            _ => return None,
        };
        // Nothing is true of an attribute that is not there.
        let value = self.tree.attribute(at, name);
        Some(value.is_some_and(|place| (self.tree.attribute_value(place) == text) == wanted))
    }

    /// The first node that an expression selects.
    pub(super) fn first(self, expr: &Expr, at: NodeId) -> Option<Item> {
        let mut first = None;
        self.walk(expr, at, &mut |item| {
            first = Some(item);
            true
        });
        first
    }

    /// Shows the nodes that an expression selects, in order and each once; none where it selects no nodes. Gives whether
    /// the walk was ended.
    pub(super) fn walk(self, expr: &Expr, at: NodeId, visit: Visit<'_>) -> bool {
        match expr {
            Expr::Path(path) if !self.tree.may_have_all(path.names) => false,
            Expr::Path(path) if !path.may_repeat => {
                self.steps(&path.steps, Item::Element(at), visit)
            }
            Expr::Path(_) | Expr::Union(..) => {
                let mut items = Vec::new();
                self.gather(expr, at, &mut items);
                items.into_iter().any(visit)
            }
            _ => false,
        }
    }

    fn gather(self, expr: &Expr, at: NodeId, items: &mut Vec<Item>) {
        match expr {
            Expr::Path(path) => {
                self.steps(&path.steps, Item::Element(at), &mut |item| {
                    if !items.contains(&item) {
                        items.push(item);
                    }
                    false
                });
            }
            Expr::Union(left, right) => {
                self.gather(left, at, items);
                self.gather(right, at, items);
            }
            _ => {}
        }
    }

    fn steps(self, steps: &[Step], item: Item, visit: Visit<'_>) -> bool {
        let Some((step, rest)) = steps.split_first() else {
            return visit(item);
        };
        let Item::Element(id) = item else {
            return false;
        };
        match step {
            Step::Child { name, predicates } => {
                let mut positions = [0_u32; PREDICATES_MAX];
                self.tree.children(id, *name).any(|child| {
                    self.passes(predicates, child, &mut positions)
                        && self.steps(rest, Item::Element(child), visit)
                })
            }
            Step::Attribute(name) => self
                .tree
                .attribute(id, *name)
                .is_some_and(|place| self.steps(rest, Item::Attribute(place, id), visit)),
            Step::Text => self.tree.has_text(id) && self.steps(rest, Item::Text(id), visit),
            Step::Parent => self
                .tree
                .parent(id)
                .is_some_and(|parent| self.steps(rest, Item::Element(parent), visit)),
            Step::This => self.steps(rest, item, visit),
        }
    }

    /// Whether a child is kept by all predicates. `positions` counts, for each, the children that came to it.
    fn passes(self, predicates: &[Expr], child: NodeId, positions: &mut [u32]) -> bool {
        predicates
            .iter()
            .zip(positions)
            .all(|(predicate, position)| {
                *position += 1;
                match predicate {
                    Expr::Number(wanted) => f64::from(*position) == *wanted,
                    _ => self.is_true(predicate, child),
                }
            })
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

    fn text<'v>(self, value: &'v Value<'_>) -> Cow<'v, str>
    where
        't: 'v,
    {
        match value {
            Value::Nodes(expr, at) => {
                let first = self.first(expr, *at);
                first.map_or(Cow::Borrowed(""), |item| Cow::Borrowed(self.text_of(item)))
            }
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

    fn compare(self, left: &Value<'_>, comparison: Comparison, right: &Value<'_>) -> bool {
        match (left, right) {
            (Value::Nodes(expr, at), Value::Bool(truth)) => {
                let is_there = self.walk(expr, *at, &mut |_| true);
                numbers(
                    f64::from(u8::from(is_there)),
                    comparison,
                    f64::from(u8::from(*truth)),
                )
            }
            // True where it is true for any of the nodes.
            (Value::Nodes(expr, at), _) => self.walk(expr, *at, &mut |item| {
                let text = Value::Text(Cow::Borrowed(self.text_of(item)));
                self.compare(&text, comparison, right)
            }),
            (_, Value::Nodes(..)) => self.compare(right, flipped(comparison), left),
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
    if let Some(number) = short_number(text.as_bytes()) {
        return number;
    }
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

/// A number of at most fifteen digits and nothing around them: such digits and such powers of ten are exact as floating
/// point, so their quotient is rounded once, as in any reading.
fn short_number(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    if text.is_empty() || text.len() > 15 {
        return None;
    }
    let (mut digits, mut n_digits, mut point) = (0_u64, 0, None);
    for &b in text {
        match b {
            b'0'..=b'9' => {
                digits = digits * 10 + u64::from(b - b'0');
                n_digits += 1;
            }
            b'.' if point.is_none() => point = Some(n_digits),
            _ => return None,
        }
    }
    if n_digits == 0 {
        return None;
    }
    let places: usize = point.map_or(0, |before| n_digits - before);
    #[expect(clippy::cast_precision_loss, reason = "fifteen digits are exact")]
    let digits = digits as f64;
    Some(digits / POWERS.get(places)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "they are the same to the last bit")]
    fn short_numbers_are_read_like_long_ones() {
        for text in [
            "0",
            "7",
            "100.00",
            "0.1",
            ".5",
            "5.",
            "33.33",
            "123456789012345",
            "1234567.1234567",
            "0.0000000000001",
            "99999999999.999",
        ] {
            let expected: f64 = text.parse().expect("it is a number");
            assert_eq!(short_number(text.as_bytes()), Some(expected), "{text}");
            assert_eq!(to_number(text), expected, "{text}");
        }
        for text in [
            "",
            ".",
            "-1",
            "+1",
            "1.2.3",
            " 1",
            "1e3",
            "1234567890123456",
        ] {
            assert_eq!(short_number(text.as_bytes()), None, "{text}");
        }
    }
}

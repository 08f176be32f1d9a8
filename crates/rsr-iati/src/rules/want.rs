//! What has to be kept of an element so that its cases can be asked at its end.

use super::case::{Case, Test, When};
use super::xpath::{Expr, Function, Name, NameBits, Step};

/// What is kept of one element.
#[derive(Debug, Default)]
pub(super) struct Want {
    parent: usize,
    /// Names with their places in the list.
    pub(super) children: Vec<(Name, usize)>,
    pub(super) child_names: NameBits,
    pub(super) attributes: Vec<Name>,
    /// Its text with that of all elements inside it.
    pub(super) text: bool,
    /// Whether it has text of its own.
    pub(super) has_text: bool,
}

/// A tree of [`Want`]s; the first is the anchor's own.
#[derive(Debug)]
pub(super) struct Wants {
    pub(super) list: Vec<Want>,
}

impl Default for Wants {
    fn default() -> Self {
        Self {
            list: vec![Want::default()],
        }
    }
}

/// What a path is walked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// To see whether something is there, or how many.
    Exists,
    /// To read it.
    Value,
}

/// How many levels above its context a case looks.
pub(super) fn climb(case: &Case) -> usize {
    fn of(expr: &Expr) -> usize {
        match expr {
            Expr::Path(path) => path
                .steps
                .iter()
                .take_while(|step| **step == Step::Parent)
                .count(),
            Expr::Or(a, b)
            | Expr::And(a, b)
            | Expr::Compare(a, _, b)
            | Expr::Add(a, b)
            | Expr::Union(a, b) => of(a).max(of(b)),
            Expr::Call(_, arguments) => arguments.iter().map(of).max().unwrap_or(0),
            Expr::Text(_) | Expr::Variable | Expr::Number(_) => 0,
        }
    }
    let mut most = 0;
    each_expr(case, &mut |expr, _| most = most.max(of(expr)));
    most
}

/// Shows every expression of a case, with what it is used for.
fn each_expr(case: &Case, show: &mut dyn FnMut(&Expr, Use)) {
    let counts = matches!(
        case.test,
        Test::NoMoreThanOne | Test::AtLeastOne | Test::OnlyOneOf { .. } | Test::IfThen { .. }
    );
    let paths_for = if counts && case.unless_known.is_none() {
        Use::Exists
    } else {
        Use::Value
    };
    case.paths.iter().for_each(|path| show(path, paths_for));
    case.condition
        .iter()
        .for_each(|condition| show(condition, Use::Exists));
    case.each.iter().for_each(|each| show(each, Use::Value));
    let mut date = |when: &When| {
        if let When::At(expr) = when {
            show(expr, Use::Value);
        }
    };
    match &case.test {
        Test::DateOrder { less, more } => [less, more].into_iter().for_each(&mut date),
        Test::DateNow { date: at } => date(at),
        Test::BetweenDates {
            date: at,
            start,
            end,
        } => [at, start, end].into_iter().for_each(&mut date),
        Test::TimeLimit { start, end } => [start, end].into_iter().for_each(&mut date),
        Test::OnlyOneOf { excluded: all } | Test::Evaluates { all } => {
            all.iter().for_each(|expr| show(expr, Use::Exists));
        }
        Test::StartsWith { prefixes, .. } => {
            prefixes.iter().for_each(|expr| show(expr, Use::Value));
        }
        Test::OneOrAll { one, .. } => show(one, Use::Exists),
        Test::IfThen { condition, then } => [condition, then]
            .into_iter()
            .for_each(|expr| show(expr, Use::Exists)),
        Test::NoMoreThanOne
        | Test::AtLeastOne
        | Test::Unique
        | Test::Sum { .. }
        | Test::Pattern { .. }
        | Test::StartsWithAgency
        | Test::Range { .. }
        | Test::NoSpaces => {}
    }
}

impl Wants {
    pub(super) fn case(&mut self, case: &Case, from: usize) {
        each_expr(case, &mut |expr, purpose| {
            self.expr(expr, from, purpose);
        });
    }

    /// Takes in what an expression looks at, seen from one element. Gives the element that it ends at.
    pub(super) fn expr(&mut self, expr: &Expr, from: usize, purpose: Use) -> usize {
        match expr {
            Expr::Path(path) => return self.path(&path.steps, from, purpose),
            Expr::Or(a, b) | Expr::And(a, b) => {
                self.expr(a, from, Use::Exists);
                self.expr(b, from, Use::Exists);
            }
            Expr::Compare(a, _, b) | Expr::Add(a, b) => {
                self.expr(a, from, Use::Value);
                self.expr(b, from, Use::Value);
            }
            Expr::Union(a, b) => {
                self.expr(a, from, purpose);
                self.expr(b, from, purpose);
            }
            Expr::Call(function, arguments) => {
                let purpose = if matches!(function, Function::Number | Function::Text) {
                    Use::Value
                } else {
                    Use::Exists
                };
                for argument in arguments {
                    self.expr(argument, from, purpose);
                }
            }
            Expr::Text(_) | Expr::Variable | Expr::Number(_) => {}
        }
        from
    }

    fn path(&mut self, steps: &[Step], from: usize, purpose: Use) -> usize {
        let mut at = from;
        let mut ends_at_element = true;
        for step in steps {
            match step {
                Step::Child { name, predicates } => {
                    at = self.child(at, *name);
                    for predicate in predicates {
                        self.expr(predicate, at, Use::Exists);
                    }
                }
                Step::Attribute(name) => {
                    ends_at_element = false;
                    if let Some(want) = self
                        .list
                        .get_mut(at)
                        .filter(|want| !want.attributes.contains(name))
                    {
                        want.attributes.push(*name);
                    }
                }
                Step::Text => {
                    ends_at_element = false;
                    if let Some(want) = self.list.get_mut(at) {
                        want.has_text = true;
                        want.text |= purpose == Use::Value;
                    }
                }
                Step::Parent => at = self.list.get(at).map_or(0, |want| want.parent),
                Step::This => {}
            }
        }
        if let Some(want) = self.list.get_mut(at) {
            want.text |= ends_at_element && purpose == Use::Value;
        }
        at
    }

    fn child(&mut self, parent: usize, name: Name) -> usize {
        let known = self.list.get(parent).and_then(|want| {
            let child = want.children.iter().find(|(known, _)| *known == name);
            child.map(|(_, place)| *place)
        });
        known.unwrap_or_else(|| {
            let next = self.list.len();
            self.list.push(Want {
                parent,
                ..Want::default()
            });
            if let Some(want) = self.list.get_mut(parent) {
                want.children.push((name, next));
                want.child_names.add(name);
            }
            next
        })
    }
}

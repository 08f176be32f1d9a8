//! The part of XPath 1.0 that rulesets are written in.
//!
//! Relative paths of child elements, attributes, `text()`, `.` and `..` with predicates; `or`, `and`, comparisons, `+`,
//! `|`; `count`, `not`, `number`, `string`, `true`, `false`; texts and numbers. In a loop the text `'$1'` stands for the
//! value at hand. A context is such a path from the root, with `//` where its steps may be anywhere.

use std::io::Read;
use std::iter::Peekable;
use std::vec::IntoIter;

use crate::schema::{N_NAMES, StartTag, number_of_name};
use crate::xml::Reader;

/// The place of a name in [`Names`].
pub(super) type Name = u16;

/// The names of elements and attributes that a ruleset mentions. Attributes carry their prefix.
#[derive(Debug, Default)]
pub(super) struct Names {
    texts: Vec<Box<str>>,
    /// The numbers of the names that the schemas know too, by the schemas' numbers: most are found so, at once.
    by_schema: Vec<Option<Name>>,
}

impl Names {
    pub(super) fn id(&mut self, name: &str) -> Option<Name> {
        let place = self
            .texts
            .iter()
            .position(|known| **known == *name)
            .unwrap_or_else(|| {
                self.texts.push(name.into());
                self.texts.len() - 1
            });
        let number = Name::try_from(place).ok();
        if let Some(known) = number_of_name(name) {
            if self.by_schema.len() <= known {
                self.by_schema.resize(known + 1, None);
            }
            if let Some(slot) = self.by_schema.get_mut(known) {
                *slot = number;
            }
        }
        number
    }

    /// The number of the name of a start tag, where the ruleset mentions it.
    pub(super) fn of_tag<R: Read>(&self, tag: &StartTag, reader: &Reader<R>) -> Option<Name> {
        tag.name?;
        match tag.known_name() {
            Some(known) => self.by_schema.get(known).copied().flatten(),
            None => self.find(reader.local_name()),
        }
    }

    /// The attributes of the tag that the ruleset mentions, with their values.
    pub(super) fn of_attributes<'t, R: Read>(
        &'t self,
        tag: &'t StartTag,
        reader: &'t Reader<R>,
    ) -> impl Iterator<Item = (Name, &'t str)> {
        (0..reader.n_attributes()).filter_map(|place| {
            let name = self.of_attribute(tag, place, reader)?;
            Some((name, reader.value_at(place)))
        })
    }

    /// The number of an attribute, by its place in the tag.
    fn of_attribute<R: Read>(
        &self,
        tag: &StartTag,
        place: usize,
        reader: &Reader<R>,
    ) -> Option<Name> {
        let known = usize::from(tag.attribute(place, reader));
        if known < N_NAMES {
            return self.by_schema.get(known).copied().flatten();
        }
        self.find(reader.attribute_at(place)?.name)
    }

    /// The number of a name that the ruleset mentions.
    pub(super) fn find(&self, name: &str) -> Option<Name> {
        if let Some(known) = number_of_name(name) {
            return self.by_schema.get(known).copied().flatten();
        }
        let place = self.texts.iter().position(|known| **known == *name)?;
        Name::try_from(place).ok()
    }
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Child { name: Name, predicates: Vec<Expr> },
    Attribute(Name),
    Text,
    Parent,
    This,
}

/// A step of a context; `deep`: anywhere below the step before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ContextStep {
    pub(super) name: Name,
    pub(super) deep: bool,
    pub(super) predicates: Vec<Expr>,
}

/// Names that may be there, by the last bits of their numbers: what is not there is certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NameBits(u64);

impl NameBits {
    pub(super) fn add(&mut self, name: Name) {
        self.0 |= 1 << (name % 64);
    }

    pub(super) fn add_all(&mut self, names: Self) {
        self.0 |= names.0;
    }

    pub(super) fn may_have(self, name: Name) -> bool {
        self.0 >> (name % 64) & 1 == 1
    }

    pub(super) fn may_have_all(self, names: Self) -> bool {
        self.0 & names.0 == names.0
    }
}

/// Steps from node to node, with what is known of them beforehand.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
    /// The elements it goes down to.
    pub(super) names: NameBits,
    /// It can come to a node on two ways: it climbs after it has gone down.
    pub(super) may_repeat: bool,
}

impl Path {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        let mut names = NameBits::default();
        for step in &steps {
            if let Step::Child { name, .. } = step {
                names.add(*name);
            }
        }
        let climbs = |step: &&Step| **step == Step::Parent;
        let may_repeat = steps.iter().skip_while(climbs).any(|step| climbs(&step));
        Self {
            steps,
            names,
            may_repeat,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Path(Path),
    Text(String),
    /// The value of the loop.
    Variable,
    Number(f64),
    Or(Box<Self>, Box<Self>),
    And(Box<Self>, Box<Self>),
    Compare(Box<Self>, Comparison, Box<Self>),
    Add(Box<Self>, Box<Self>),
    Union(Box<Self>, Box<Self>),
    Call(Function, Vec<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Count,
    Not,
    Number,
    Text,
    True,
    False,
}

#[derive(Clone, Debug, PartialEq)]
enum Lexeme {
    Name(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
}

/// Signs, longer ones before those they begin with.
const SIGNS: [&str; 18] = [
    "//", "..", "!=", "<=", ">=", "::", "/", "@", ".", "[", "]", "(", ")", "|", "=", "<", ">", "+",
];

fn lex(text: &str) -> Option<Vec<Lexeme>> {
    let mut lexemes = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first == '\'' || first == '"' {
            let inside = rest.get(1..)?;
            let end = inside.find(first)?;
            lexemes.push(Lexeme::Text(inside.get(..end)?.to_owned()));
            end + 2
        } else if first.is_ascii_digit() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            lexemes.push(Lexeme::Number(rest.get(..end)?.parse().ok()?));
            end
        } else if first.is_alphabetic() || first == '_' {
            let name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
            let mut end = rest.find(|c| !name(c)).unwrap_or(rest.len());
            // A prefix such as that of xml:lang, and not an axis.
            if let Some(after) = rest
                .get(end..)
                .and_then(|after| after.strip_prefix(':'))
                .filter(|after| !after.starts_with(':'))
            {
                end += 1 + after.find(|c| !name(c)).unwrap_or(after.len());
            }
            lexemes.push(Lexeme::Name(rest.get(..end)?.to_owned()));
            end
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign))?;
            lexemes.push(Lexeme::Sign(sign));
            sign.len()
        };
        rest = rest.get(length..)?.trim_start();
    }
    Some(lexemes)
}

/// Predicates within predicates. Rulesets have two.
const DEPTH_MAX: usize = 16;

/// Predicates of one step. Rulesets have one.
pub(super) const PREDICATES_MAX: usize = 4;

struct Parser<'n> {
    rest: Peekable<IntoIter<Lexeme>>,
    names: &'n mut Names,
    /// Whether `'$1'` is the loop's value here, or just a text.
    in_loop: bool,
    depth: usize,
}

/// Reads an expression; `None` where it is none or uses more of XPath than is known here.
pub(super) fn parse(text: &str, in_loop: bool, names: &mut Names) -> Option<Expr> {
    let mut parser = Parser {
        rest: lex(text)?.into_iter().peekable(),
        names,
        in_loop,
        depth: 0,
    };
    let expr = parser.or()?;
    parser.rest.next().is_none().then_some(expr)
}

/// A context: the steps down from the root, and how many `..` follow them.
pub(super) type Context = (Vec<ContextStep>, usize);

/// Reads a context: one or more paths from the root with `|` between.
pub(super) fn parse_context(text: &str, names: &mut Names) -> Option<Vec<Context>> {
    let mut parser = Parser {
        rest: lex(text)?.into_iter().peekable(),
        names,
        in_loop: false,
        depth: 0,
    };
    let mut contexts = Vec::new();
    loop {
        let mut steps = Vec::new();
        let mut up = 0;
        while let Some(sign) = parser.any(&["//", "/"]) {
            if parser.any(&[".."]).is_some() {
                up += 1;
                continue;
            }
            let name = parser.name()?;
            let name = parser.names.id(&name)?;
            steps.push(ContextStep {
                name,
                deep: sign == "//",
                predicates: parser.predicates()?,
            });
        }
        if steps.len() <= up {
            return None;
        }
        contexts.push((steps, up));
        if parser.any(&["|"]).is_none() {
            return parser.rest.next().is_none().then_some(contexts);
        }
    }
}

/// A comparison. Whether there are any is asked without counting all of them: `count(a) + count(b) > 0` means `a or b`,
/// and `count(a) < 1` means `not(a)`.
fn compared(left: Expr, comparison: Comparison, right: Expr) -> Expr {
    let is_any = comparison == Comparison::Greater && right == Expr::Number(0.0);
    let is_none = comparison == Comparison::Less && right == Expr::Number(1.0);
    match left {
        Expr::Call(Function::Count, paths)
            if is_none && matches!(paths.as_slice(), [Expr::Path(_) | Expr::Union(..)]) =>
        {
            Expr::Call(Function::Not, paths)
        }
        left if is_any => match any_of(left) {
            Ok(any) => any,
            Err(left) => Expr::Compare(Box::new(left), comparison, Box::new(right)),
        },
        left => Expr::Compare(Box::new(left), comparison, Box::new(right)),
    }
}

/// Whether any of the nodes are there that a sum of counts counts; the expression itself where it is something else.
fn any_of(sum: Expr) -> Result<Expr, Expr> {
    match sum {
        Expr::Call(Function::Count, mut paths)
            if matches!(paths.as_slice(), [Expr::Path(_) | Expr::Union(..)]) =>
        {
            Ok(paths.remove(0))
        }
        Expr::Add(left, right) => match (any_of(*left), any_of(*right)) {
            (Ok(left), Ok(right)) => Ok(Expr::Or(Box::new(left), Box::new(right))),
            (left, right) => Err(Expr::Add(Box::new(counted(left)), Box::new(counted(right)))),
        },
        other => Err(other),
    }
}

/// Takes back what [`any_of`] made of one side.
fn counted(side: Result<Expr, Expr>) -> Expr {
    match side {
        Ok(Expr::Or(left, right)) => {
            Expr::Add(Box::new(counted(Ok(*left))), Box::new(counted(Ok(*right))))
        }
        Ok(path) => Expr::Call(Function::Count, vec![path]),
        Err(other) => other,
    }
}

impl Parser<'_> {
    fn any(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        match self.rest.peek() {
            Some(Lexeme::Sign(sign)) if signs.contains(sign) => {
                let sign = *sign;
                self.rest.next();
                Some(sign)
            }
            _ => None,
        }
    }

    fn word(&mut self, word: &str) -> bool {
        self.rest
            .next_if(|lexeme| matches!(lexeme, Lexeme::Name(name) if name == word))
            .is_some()
    }

    fn name(&mut self) -> Option<String> {
        match self.rest.next()? {
            Lexeme::Name(name) => Some(name),
            _ => None,
        }
    }

    fn or(&mut self) -> Option<Expr> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Some(left)
    }

    fn and(&mut self) -> Option<Expr> {
        let mut left = self.comparison()?;
        while self.word("and") {
            left = Expr::And(Box::new(left), Box::new(self.comparison()?));
        }
        Some(left)
    }

    fn comparison(&mut self) -> Option<Expr> {
        let mut left = self.sum()?;
        while let Some(sign) = self.any(&["=", "!=", "<", "<=", ">", ">="]) {
            let comparison = match sign {
                "=" => Comparison::Equal,
                "!=" => Comparison::NotEqual,
                "<" => Comparison::Less,
                "<=" => Comparison::AtMost,
                ">" => Comparison::Greater,
                _ => Comparison::AtLeast,
            };
            left = compared(left, comparison, self.sum()?);
        }
        Some(left)
    }

    fn sum(&mut self) -> Option<Expr> {
        let mut left = self.union()?;
        while self.any(&["+"]).is_some() {
            left = Expr::Add(Box::new(left), Box::new(self.union()?));
        }
        Some(left)
    }

    fn union(&mut self) -> Option<Expr> {
        let mut left = self.primary()?;
        while self.any(&["|"]).is_some() {
            left = Expr::Union(Box::new(left), Box::new(self.primary()?));
        }
        Some(left)
    }

    fn primary(&mut self) -> Option<Expr> {
        match self.rest.peek()? {
            Lexeme::Number(number) => {
                let number = *number;
                self.rest.next();
                Some(Expr::Number(number))
            }
            Lexeme::Text(text) => {
                let expr = if self.in_loop && text == "$1" {
                    Expr::Variable
                } else {
                    Expr::Text(text.clone())
                };
                self.rest.next();
                Some(expr)
            }
            Lexeme::Sign("(") => {
                self.rest.next();
                let inside = self.nested(Self::or)?;
                self.any(&[")"])?;
                Some(inside)
            }
            Lexeme::Name(name) => {
                let function = match name.as_str() {
                    "count" => Some(Function::Count),
                    "not" => Some(Function::Not),
                    "number" => Some(Function::Number),
                    "string" => Some(Function::Text),
                    "true" => Some(Function::True),
                    "false" => Some(Function::False),
                    _ => None,
                };
                let first = self.name()?;
                match function {
                    Some(function) if self.any(&["("]).is_some() => self.call(function),
                    _ => self.path(Some(first)),
                }
            }
            Lexeme::Sign(_) => self.path(None),
        }
    }

    fn call(&mut self, function: Function) -> Option<Expr> {
        let mut arguments = Vec::new();
        if self.any(&[")"]).is_none() {
            arguments.push(self.nested(Self::or)?);
            self.any(&[")"])?;
        }
        let wanted = usize::from(!matches!(function, Function::True | Function::False));
        (arguments.len() == wanted).then_some(Expr::Call(function, arguments))
    }

    /// A relative path; `first` is the name of its first step where that was read already.
    fn path(&mut self, first: Option<String>) -> Option<Expr> {
        let mut steps = Vec::new();
        let mut name = first;
        loop {
            let step = match name.take() {
                Some(name) if name == "text" && self.any(&["("]).is_some() => {
                    self.any(&[")"])?;
                    Step::Text
                }
                Some(name) => Step::Child {
                    name: self.names.id(&name)?,
                    predicates: self.predicates()?,
                },
                None => match self.any(&["@", "..", "."]) {
                    Some("@") => {
                        let name = self.name()?;
                        Step::Attribute(self.names.id(&name)?)
                    }
                    Some("..") => Step::Parent,
                    Some(_) => Step::This,
                    None => {
                        name = Some(self.name()?);
                        continue;
                    }
                },
            };
            steps.push(step);
            if self.any(&["/"]).is_none() {
                return Some(Expr::Path(Path::new(steps)));
            }
        }
    }

    fn predicates(&mut self) -> Option<Vec<Expr>> {
        let mut predicates = Vec::new();
        while self.any(&["["]).is_some() {
            predicates.push(self.nested(Self::or)?);
            self.any(&["]"])?;
        }
        if predicates.len() > PREDICATES_MAX {
            return None;
        }
        Some(predicates)
    }

    fn nested(&mut self, read: fn(&mut Self) -> Option<Expr>) -> Option<Expr> {
        self.depth += 1;
        let expr = if self.depth > DEPTH_MAX {
            None
        } else {
            read(self)
        };
        self.depth -= 1;
        expr
    }
}

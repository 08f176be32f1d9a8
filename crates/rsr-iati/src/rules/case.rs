//! One case of a rule, as it is asked.

use std::collections::BTreeSet;

use regex_lite::Regex;

use crate::report::Severity;

use super::date::{self, Moment};
use super::eval::{Item, Scene, to_number};
use super::tree::NodeId;
use super::xpath::Expr;

/// What one case asks for.
#[derive(Clone, Debug)]
pub(super) enum Test {
    NoMoreThanOne,
    AtLeastOne,
    OnlyOneOf {
        excluded: Vec<Expr>,
    },
    OneOrAll {
        one: Expr,
        all: All,
    },
    Unique,
    Sum {
        sum: f64,
        may_be_absent: bool,
    },
    DateOrder {
        less: When,
        more: When,
    },
    DateNow {
        date: When,
    },
    BetweenDates {
        date: When,
        start: When,
        end: When,
    },
    TimeLimit {
        start: When,
        end: When,
    },
    Regex {
        regex: Regex,
        wanted: bool,
    },
    StartsWith {
        prefixes: Vec<Expr>,
        separator: String,
    },
    StartsWithAgency,
    IfThen {
        condition: Expr,
        then: Expr,
    },
    Range {
        min: f64,
        max: f64,
    },
    NoSpaces,
    Evaluates {
        all: Vec<Expr>,
    },
}

/// Where all have to have what one may have for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum All {
    /// Every narrative its language.
    Languages,
    /// Every transaction a sector.
    Sectors,
    /// Every transaction a country or region.
    Places,
    /// Every amount its currency.
    Currencies,
}

/// A moment in the file, or the clock's.
#[derive(Clone, Debug)]
pub(super) enum When {
    Now,
    At(Expr),
}

/// Asked only where no organisation is known by the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnlessKnown {
    /// The value is an organisation's identifier.
    Organisation,
    /// The value begins with an organisation's identifier and a hyphen.
    OrganisationPrefix,
}

/// One case with its name and place in reports.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) severity: Severity,
    pub(super) category: String,
    pub(super) test: Test,
    pub(super) paths: Vec<Expr>,
    pub(super) condition: Option<Expr>,
    pub(super) unless_known: Option<UnlessKnown>,
    /// Asked once for each distinct value of this.
    pub(super) each: Option<Expr>,
    /// What is asked, in words and the ruleset's own paths.
    pub(super) says: String,
}

/// The answer to one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It does not apply here.
    NotAsked,
    Kept,
    /// It is broken: where, and what was found.
    Broken {
        line: Option<u64>,
        found: String,
    },
}

/// What cases are held against besides the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct World<'w> {
    pub(super) now: Moment,
    /// Identifiers of known organisations.
    pub(super) organisations: &'w BTreeSet<String>,
    /// Prefixes of agencies that register organisations: "GB-CHC".
    pub(super) agencies: &'w BTreeSet<String>,
}

impl Case {
    /// Asks the case at a node; `lacking` tells the lines of what one-or-all found lacking, and their number.
    pub(super) fn ask(
        &self,
        scene: Scene<'_>,
        at: NodeId,
        world: World<'_>,
        lacking: impl Fn(All) -> (u64, Option<u64>),
    ) -> Answer {
        if self
            .condition
            .as_ref()
            .is_some_and(|condition| !scene.is_true(condition, at))
        {
            return Answer::NotAsked;
        }
        let paths: Vec<Item> = self
            .paths
            .iter()
            .flat_map(|path| scene.nodes(path, at))
            .collect();
        let texts = || paths.iter().map(|item| scene.text_of(*item));
        let known = match self.unless_known {
            None => false,
            Some(UnlessKnown::Organisation) => {
                texts().any(|text| world.organisations.contains(text))
            }
            Some(UnlessKnown::OrganisationPrefix) => {
                texts().any(|text| begins_with_known(text, world.organisations))
            }
        };
        if known {
            return Answer::NotAsked;
        }
        let at_path = |item: Option<&Item>| item.map(|item| line_of(scene, *item));
        let broken_by = |is_bad: &dyn Fn(&str) -> bool| match paths
            .iter()
            .find(|item| is_bad(scene.text_of(**item)))
        {
            Some(item) => broken(at_path(Some(item)), shown(scene.text_of(*item))),
            None => Answer::Kept,
        };
        match &self.test {
            Test::NoMoreThanOne => keep(paths.len() <= 1, || {
                broken(at_path(paths.get(1)), format!("{} of them", paths.len()))
            }),
            Test::AtLeastOne => keep(!paths.is_empty(), || {
                broken(None, "none of them".to_owned())
            }),
            Test::OnlyOneOf { excluded } => {
                let good = excluded
                    .iter()
                    .all(|other| paths.len() == usize::from(scene.nodes(other, at).is_empty()));
                keep(good, || {
                    broken(at_path(paths.first()), format!("{} of them", paths.len()))
                })
            }
            Test::OneOrAll { one, all } => {
                let (count, line) = lacking(*all);
                keep(count == 0 || scene.is_true(one, at), || {
                    broken(line, format!("{count} lack it"))
                })
            }
            Test::Unique => {
                let mut seen = BTreeSet::new();
                let again = paths
                    .iter()
                    .find(|item| !seen.insert(scene.text_of(**item)));
                keep(again.is_none(), || {
                    broken(
                        at_path(again),
                        again.map_or(String::new(), |item| shown(scene.text_of(*item))),
                    )
                })
            }
            Test::Sum {
                may_be_absent: true,
                ..
            } if paths.is_empty() => Answer::Kept,
            Test::Sum { sum, .. } => {
                let found = round(texts().map(js_number).sum());
                keep((found - sum).abs() < f64::EPSILON, || {
                    broken(at_path(paths.first()), format!("{found}"))
                })
            }
            Test::DateOrder { less, more } => with(
                less.get(scene, at, world),
                more.get(scene, at, world),
                |less, more| {
                    keep(less.0 <= more.0, || {
                        broken(less.2, format!("{} after {}", less.1, more.1))
                    })
                },
            ),
            Test::DateNow { date } => with(
                date.get(scene, at, world),
                When::Now.get(scene, at, world),
                |date, now| keep(date.0 <= now.0, || broken(date.2, date.1)),
            ),
            Test::BetweenDates { date, start, end } => match (
                date.get(scene, at, world),
                start.get(scene, at, world),
                end.get(scene, at, world),
            ) {
                (Some(date), Some(start), Some(end)) => {
                    keep(start.0 <= date.0 && date.0 <= end.0, || {
                        broken(date.2, date.1)
                    })
                }
                _ => Answer::NotAsked,
            },
            Test::TimeLimit { start, end } => with(
                start.get(scene, at, world),
                end.get(scene, at, world),
                |start, end| {
                    let days = date::days_between(start.0, end.0);
                    keep(days <= 365, || broken(start.2, format!("{days} days")))
                },
            ),
            // An empty text is another rule's matter.
            Test::Regex { regex, wanted } => {
                broken_by(&|text| !text.is_empty() && regex.is_match(text) != *wanted)
            }
            Test::StartsWith {
                prefixes,
                separator,
            } => {
                let prefixes: Vec<String> = prefixes
                    .iter()
                    .flat_map(|path| scene.nodes(path, at))
                    .map(|item| format!("{}{separator}", scene.text_of(item)))
                    .collect();
                broken_by(&|text| {
                    !prefixes
                        .iter()
                        .any(|prefix| text.starts_with(prefix.as_str()))
                })
            }
            // Without the list nothing can be said.
            Test::StartsWithAgency if world.agencies.is_empty() => Answer::NotAsked,
            Test::StartsWithAgency => broken_by(&|text| {
                let mut parts = text.split('-');
                let prefix = format!(
                    "{}-{}",
                    parts.next().unwrap_or_default(),
                    parts.next().unwrap_or_default()
                );
                !world.agencies.contains(&prefix)
            }),
            Test::IfThen { condition, then } => {
                let good = !scene.is_true(condition, at) || scene.is_true(then, at);
                keep(good, || broken(at_path(paths.first()), String::new()))
            }
            Test::Range { min, max } => broken_by(&|text| {
                let number = js_number(text);
                !(*min <= number && number <= *max)
            }),
            Test::NoSpaces => broken_by(&|text| text != text.trim()),
            Test::Evaluates { all } => keep(all.iter().all(|expr| scene.is_true(expr, at)), || {
                broken(None, String::new())
            }),
        }
    }
}

fn keep(good: bool, broken: impl FnOnce() -> Answer) -> Answer {
    if good { Answer::Kept } else { broken() }
}

fn broken(line: Option<u64>, found: String) -> Answer {
    Answer::Broken { line, found }
}

/// A moment, how it is written, and where.
type Dated = (Moment, String, Option<u64>);

fn with(
    one: Option<Dated>,
    other: Option<Dated>,
    judge: impl FnOnce(Dated, Dated) -> Answer,
) -> Answer {
    match (one, other) {
        (Some(one), Some(other)) => judge(one, other),
        _ => Answer::NotAsked,
    }
}

impl When {
    /// The first moment it stands for, if that is one.
    fn get(&self, scene: Scene<'_>, at: NodeId, world: World<'_>) -> Option<Dated> {
        match self {
            Self::Now => Some((world.now, "now".to_owned(), None)),
            Self::At(path) => {
                let first = *scene.nodes(path, at).first()?;
                let text = scene.text_of(first);
                Some((date::parse(text)?, shown(text), Some(line_of(scene, first))))
            }
        }
    }
}

fn line_of(scene: Scene<'_>, item: Item) -> u64 {
    match item {
        Item::Element(id) | Item::Attribute(_, id) | Item::Text(id) => scene.tree.line(id),
    }
}

fn begins_with_known(text: &str, known: &BTreeSet<String>) -> bool {
    text.match_indices('-')
        .any(|(at, _)| text.get(..at).is_some_and(|prefix| known.contains(prefix)))
}

/// The official validator counts an empty text as zero.
fn js_number(text: &str) -> f64 {
    if text.trim().is_empty() {
        0.0
    } else {
        to_number(text.trim().trim_start_matches('+'))
    }
}

/// Sums are compared to four decimals.
fn round(sum: f64) -> f64 {
    (sum * 10_000.0).round() / 10_000.0
}

fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(60).collect::<String>())
}

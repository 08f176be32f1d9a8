//! One case of a rule, as it is asked.

use std::collections::BTreeSet;

use crate::report::Severity;

use super::date::{self, Moment};
use super::eval::{Item, Scene, to_number};
use super::pattern::Pattern;
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
    Pattern {
        pattern: Pattern,
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
    /// Shows the nodes of all paths, one path after the other; gives whether the walk was ended.
    fn walk(&self, scene: Scene<'_>, at: NodeId, visit: &mut dyn FnMut(Item) -> bool) -> bool {
        self.paths.iter().any(|path| scene.walk(path, at, visit))
    }

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
        let first = |wanted: &dyn Fn(&str) -> bool| {
            let mut found = None;
            self.walk(scene, at, &mut |item| {
                let is_it = wanted(scene.text_of(item));
                found = is_it.then_some(item);
                is_it
            });
            found
        };
        let is_known = match self.unless_known {
            None => false,
            Some(_) if world.organisations.is_empty() => false,
            Some(UnlessKnown::Organisation) => {
                first(&|text| world.organisations.contains(text)).is_some()
            }
            Some(UnlessKnown::OrganisationPrefix) => {
                first(&|text| begins_with_known(text, world.organisations)).is_some()
            }
        };
        if is_known {
            return Answer::NotAsked;
        }
        let at_path = |item: Option<Item>| item.map(|item| line_of(scene, item));
        let at_first = || at_path(first(&|_| true));
        let count = || {
            let mut n = 0_usize;
            self.walk(scene, at, &mut |_| {
                n += 1;
                false
            });
            n
        };
        let broken_by = |is_bad: &dyn Fn(&str) -> bool| match first(is_bad) {
            Some(item) => broken(at_path(Some(item)), shown(scene.text_of(item))),
            None => Answer::Kept,
        };
        match &self.test {
            Test::NoMoreThanOne => {
                let (mut n, mut second) = (0_usize, None);
                self.walk(scene, at, &mut |item| {
                    n += 1;
                    if n == 2 {
                        second = Some(item);
                    }
                    false
                });
                keep(n <= 1, || broken(at_path(second), format!("{n} of them")))
            }
            Test::AtLeastOne => keep(first(&|_| true).is_some(), || {
                broken(None, "none of them".to_owned())
            }),
            Test::OnlyOneOf { excluded } => {
                let n = count();
                let good = excluded
                    .iter()
                    .all(|other| n == usize::from(scene.first(other, at).is_none()));
                keep(good, || broken(at_first(), format!("{n} of them")))
            }
            Test::OneOrAll { one, all } => {
                let (count, line) = lacking(*all);
                keep(count == 0 || scene.is_true(one, at), || {
                    broken(line, format!("{count} lack it"))
                })
            }
            Test::Unique => {
                let (mut seen, mut again) = (BTreeSet::new(), None);
                self.walk(scene, at, &mut |item| {
                    let is_new = seen.insert(scene.text_of(item));
                    again = (!is_new).then_some(item);
                    !is_new
                });
                keep(again.is_none(), || {
                    let text = again.map(|item| shown(scene.text_of(item)));
                    broken(at_path(again), text.unwrap_or_default())
                })
            }
            Test::Sum { sum, may_be_absent } => {
                let (mut found, mut is_there) = (0.0, false);
                self.walk(scene, at, &mut |item| {
                    found += js_number(scene.text_of(item));
                    is_there = true;
                    false
                });
                let found = round(found);
                let good = (found - sum).abs() < f64::EPSILON || (*may_be_absent && !is_there);
                keep(good, || broken(at_first(), format!("{found}")))
            }
            Test::DateOrder { less, more } => with(
                less.get(scene, at, world),
                more.get(scene, at, world),
                |less, more| {
                    keep(less.0 <= more.0, || {
                        let found =
                            format!("{} after {}", written(scene, less), written(scene, more));
                        broken(at_path(less.1), found)
                    })
                },
            ),
            Test::DateNow { date } => with(
                date.get(scene, at, world),
                When::Now.get(scene, at, world),
                |date, now| {
                    keep(date.0 <= now.0, || {
                        broken(at_path(date.1), written(scene, date))
                    })
                },
            ),
            Test::BetweenDates { date, start, end } => match (
                date.get(scene, at, world),
                start.get(scene, at, world),
                end.get(scene, at, world),
            ) {
                (Some(date), Some(start), Some(end)) => {
                    keep(start.0 <= date.0 && date.0 <= end.0, || {
                        broken(at_path(date.1), written(scene, date))
                    })
                }
                _ => Answer::NotAsked,
            },
            Test::TimeLimit { start, end } => with(
                start.get(scene, at, world),
                end.get(scene, at, world),
                |start, end| {
                    let days = date::days_between(start.0, end.0);
                    keep(days <= 365, || {
                        broken(at_path(start.1), format!("{days} days"))
                    })
                },
            ),
            // An empty text is another rule's matter.
            Test::Pattern { pattern, wanted } => {
                broken_by(&|text| !text.is_empty() && pattern.matches(text) != *wanted)
            }
            Test::StartsWith {
                prefixes,
                separator,
            } => broken_by(&|text| {
                let begins = |item| {
                    text.strip_prefix(scene.text_of(item))
                        .is_some_and(|rest| rest.starts_with(separator.as_str()))
                };
                !prefixes
                    .iter()
                    .any(|path| scene.walk(path, at, &mut |item| begins(item)))
            }),
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
                keep(good, || broken(at_first(), String::new()))
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

/// A moment and where it is written; the clock's is written nowhere.
type Dated = (Moment, Option<Item>);

/// How a moment is shown.
fn written(scene: Scene<'_>, (_, item): Dated) -> String {
    item.map_or_else(|| "now".to_owned(), |item| shown(scene.text_of(item)))
}

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
            Self::Now => Some((world.now, None)),
            Self::At(path) => {
                let first = scene.first(path, at)?;
                Some((date::parse(scene.text_of(first))?, Some(first)))
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

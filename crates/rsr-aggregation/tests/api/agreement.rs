//! Bulk, single climbs, running totals and the rules taken literally agree bit for bit, whatever happens.

use std::collections::BTreeMap;
use std::hash::Hash;

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest,
};
use proptest::test_runner::TestCaseError;
use rsr_aggregation::{
    Indicator, IndicatorUpdates, Live, Measure, Numbers, PeriodEnd, Rule, StoredDisaggregation,
    Total, Update, own_part, own_parts,
};
use rsr_base::{DimensionValueId, IndicatorId, PeriodId, UpdateId, UserId};

use crate::model;
use crate::world::{World, value, year_end};

/// Something that happens; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Event {
    Report {
        period: usize,
        user: i64,
        numbers: Numbers,
        parts: Vec<Numbers>,
    },
    Approve {
        report: usize,
        is_approved: bool,
    },
    Delete {
        report: usize,
    },
    Amend {
        report: usize,
        numbers: Numbers,
    },
    Manual {
        period: usize,
        manual: Option<Numbers>,
    },
    ManualPart {
        period: usize,
        d: i64,
        manual: Option<Numbers>,
    },
    ToParent {
        project: usize,
        is_on: bool,
    },
    TakesChildren {
        project: usize,
        is_on: bool,
    },
    Move {
        project: usize,
        parent: Option<usize>,
    },
    Remove {
        project: usize,
    },
    EndDate {
        period: usize,
        end: Option<i32>,
    },
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let number = || {
        proptest::option::weighted(
            0.8,
            prop_oneof![-300_i128..300, Just(0), Just(12_345_678_901_234_567_890)],
        )
    };
    (number(), number(), number()).prop_map(|(v, n, d)| {
        let number = |n: Option<i128>| n.map(rsr_aggregation::Hundredths::from_hundredths);
        Numbers {
            value: number(v),
            numerator: number(n),
            denominator: number(d),
        }
    })
}

fn event() -> impl Strategy<Value = Event> {
    let at = || 0_usize..1000;
    let manual = || proptest::option::of(numbers().prop_map(Numbers::with_percentage));
    prop_oneof![
        6 => (at(), 1_i64..4, numbers(), proptest::collection::vec(numbers(), 0..4))
            .prop_map(|(period, user, numbers, parts)| Event::Report { period, user, numbers, parts }),
        1 => (at(), any::<bool>()).prop_map(|(report, is_approved)| Event::Approve { report, is_approved }),
        1 => at().prop_map(|report| Event::Delete { report }),
        1 => (at(), numbers()).prop_map(|(report, numbers)| Event::Amend { report, numbers }),
        2 => (at(), manual()).prop_map(|(period, manual)| Event::Manual { period, manual }),
        1 => (at(), 0_i64..3, manual()).prop_map(|(period, d, manual)| Event::ManualPart { period, d, manual }),
        1 => (at(), any::<bool>()).prop_map(|(project, is_on)| Event::ToParent { project, is_on }),
        1 => (at(), any::<bool>()).prop_map(|(project, is_on)| Event::TakesChildren { project, is_on }),
        2 => (at(), proptest::option::weighted(0.8, at())).prop_map(|(project, parent)| Event::Move { project, parent }),
        1 => at().prop_map(|project| Event::Remove { project }),
        1 => (at(), proptest::option::of(2018_i32..2024)).prop_map(|(period, end)| Event::EndDate { period, end }),
    ]
}

fn pick<T: Copy>(mut from: impl ExactSizeIterator<Item = T>, nth: usize) -> Option<T> {
    let n = from.len();
    from.nth(nth % n.max(1))
}

/// All periods of a project.
fn periods_of(world: &World, project: i64) -> Vec<PeriodId> {
    let of_project = world
        .periods
        .iter()
        .filter(|(_, row)| row.project == project);
    of_project.map(|(&id, _)| PeriodId(id)).collect()
}

fn is_below(world: &World, node: i64, top: i64) -> bool {
    let mut at = Some(node);
    while let Some(id) = at {
        if id == top {
            return true;
        }
        at = world.projects[&id].parent;
    }
    false
}

/// Makes it happen; gives the periods whose sums it changes directly (rules 32, 33).
fn happen(world: &mut World, event: &Event) -> Vec<PeriodId> {
    let project_of = |world: &World, period: i64| world.periods[&period].project;
    match *event {
        Event::Report {
            period,
            user,
            numbers,
            ref parts,
        } => {
            let Some(period) = pick(world.periods.keys(), period).copied() else {
                return vec![];
            };
            world.report(period, user, numbers, parts);
            periods_of(world, project_of(world, period))
        }
        Event::Approve { report, .. } | Event::Delete { report } | Event::Amend { report, .. } => {
            let Some(id) = pick(world.reports.keys(), report).copied() else {
                return vec![];
            };
            let period = world.reports[&id].update.period.0;
            let report = world.reports.get_mut(&id).unwrap();
            match *event {
                Event::Approve { is_approved, .. } => report.is_approved = is_approved,
                Event::Amend { numbers, .. } => report.update.numbers = numbers,
                _ => {
                    world.reports.remove(&id);
                }
            }
            periods_of(world, project_of(world, period))
        }
        Event::Manual { period, manual } => {
            let Some(period) = pick(world.periods.keys(), period).copied() else {
                return vec![];
            };
            world.periods.get_mut(&period).unwrap().manual = manual;
            vec![PeriodId(period)]
        }
        Event::ManualPart { period, d, manual } => {
            let Some(period) = pick(world.periods.keys(), period).copied() else {
                return vec![];
            };
            let project = project_of(world, period);
            if world.projects[&project].indicator.measure == Measure::Qualitative {
                return vec![];
            }
            let dimension_value = project * 10 + d;
            world
                .rows
                .entry((period, dimension_value))
                .or_insert(StoredDisaggregation {
                    dimension_value: DimensionValueId(dimension_value),
                    manual,
                    stored: Total::default(),
                })
                .manual = manual;
            vec![PeriodId(period)]
        }
        Event::ToParent { project, is_on } => {
            let Some(project) = pick(world.projects.keys(), project).copied() else {
                return vec![];
            };
            let row = world.projects.get_mut(&project).unwrap();
            row.to_parent = is_on;
            row.parent
                .map_or(vec![], |parent| periods_of(world, parent))
        }
        Event::TakesChildren { project, is_on } => {
            let Some(project) = pick(world.projects.keys(), project).copied() else {
                return vec![];
            };
            world.projects.get_mut(&project).unwrap().takes_children = is_on;
            periods_of(world, project)
        }
        Event::Move { project, parent } => {
            let Some(project) = pick(world.projects.keys(), project).copied() else {
                return vec![];
            };
            let parent = parent.and_then(|nth| pick(world.projects.keys(), nth).copied());
            if parent.is_some_and(|parent| is_below(world, parent, project)) {
                return vec![];
            }
            let old = world.projects[&project].parent;
            world.link(project, parent);
            let touched = old.into_iter().chain(parent);
            touched.flat_map(|id| periods_of(world, id)).collect()
        }
        Event::Remove { project } => {
            if world.projects.len() < 2 {
                return vec![];
            }
            let project = *pick(world.projects.keys(), project).unwrap();
            let gone = periods_of(world, project);
            let children: Vec<i64> = world
                .projects
                .iter()
                .filter(|(_, p)| p.parent == Some(project))
                .map(|(&id, _)| id)
                .collect();
            for child in children {
                world.link(child, None);
            }
            let parent = world.projects.remove(&project).unwrap().parent;
            world
                .reports
                .retain(|_, report| !gone.contains(&report.update.period));
            world.periods.retain(|_, row| row.project != project);
            world.rows.retain(|key, _| !gone.contains(&PeriodId(key.0)));
            world
                .given
                .retain(|key, _| !gone.contains(&PeriodId(key.0)));
            parent.map_or(vec![], |parent| periods_of(world, parent))
        }
        Event::EndDate { period, end } => {
            let Some(period) = pick(world.periods.keys(), period).copied() else {
                return vec![];
            };
            let end = end.map(year_end);
            world.periods.get_mut(&period).unwrap().end = end;
            for report in world
                .reports
                .values_mut()
                .filter(|r| r.update.period.0 == period)
            {
                report.update.period_end = end;
            }
            periods_of(world, project_of(world, period))
        }
    }
}

/// What a node of a [`Live`] should be given.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Given<I> {
    rule: Rule,
    parent: Option<(I, bool)>,
    own: Numbers,
    has_updates: bool,
    manual: Option<Numbers>,
}

/// Tells the difference between two states, change by change.
fn sync<I: Copy + Ord + Hash>(
    live: &mut Live<I>,
    old: &BTreeMap<I, Given<I>>,
    new: &BTreeMap<I, Given<I>>,
) {
    for &id in old.keys().filter(|id| !new.contains_key(id)) {
        live.remove(id).unwrap();
    }
    for (&id, given) in new.iter().filter(|(id, _)| !old.contains_key(id)) {
        live.insert(id, given.rule, None).unwrap();
    }
    let parent_in = |of: Option<&Given<I>>| of.and_then(|g| g.parent).map(|(p, _)| p);
    let moved = |id: &I| parent_in(old.get(id)) != parent_in(new.get(id)) || !old.contains_key(id);
    for &id in new.keys().filter(|id| moved(id)) {
        live.move_to(id, None).unwrap();
    }
    for (&id, given) in new {
        if moved(&id) {
            live.move_to(id, given.parent).unwrap();
        } else if let Some((_, is_open)) = given.parent {
            live.set_open(id, is_open).unwrap();
        }
        live.set_own(id, given.has_updates, given.own).unwrap();
        live.set_manual(id, given.manual).unwrap();
    }
}

/// The own part of a period, with its parts by dimension value.
fn own(world: &World, period: i64) -> rsr_aggregation::OwnPart {
    let row = &world.periods[&period];
    let updates: Vec<Update> = world
        .reports
        .values()
        .filter(|r| r.is_approved && world.periods[&r.update.period.0].project == row.project)
        .map(|r| r.update.clone())
        .collect();
    let end = PeriodEnd {
        id: PeriodId(period),
        end: row.end,
    };
    own_part(&world.projects[&row.project].indicator, &end, &updates).unwrap()
}

fn given_periods(world: &World) -> BTreeMap<i64, Given<i64>> {
    let given = |(&id, row): (&i64, &crate::world::Row)| {
        let own = own(world, id);
        let edge = world
            .edge(row)
            .filter(|edge| world.periods.contains_key(&edge.parent.0));
        let given = Given {
            rule: Rule::Period(world.projects[&row.project].indicator.measure),
            parent: edge.map(|edge| (edge.parent.0, edge.is_open)),
            own: own.numbers,
            has_updates: own.has_updates,
            manual: row.manual,
        };
        (id, given)
    };
    world.periods.iter().map(given).collect()
}

fn given_parts(world: &World) -> BTreeMap<(i64, i64), Given<(i64, i64)>> {
    let mut given = BTreeMap::new();
    for (&(period, at), row) in &world.rows {
        let own = own(world, period);
        let numbers = own.disaggregations.iter().find(|(value, _)| value.0 == at);
        let edge = world.edge(&world.periods[&period]);
        let parent = edge.and_then(|edge| {
            let key = (edge.parent.0, world.values[&at]?);
            world.rows.contains_key(&key).then_some((key, edge.is_open))
        });
        let one = Given {
            rule: Rule::Disaggregation,
            parent,
            own: numbers.map_or(Numbers::NONE, |(_, numbers)| *numbers),
            has_updates: own.has_updates,
            manual: row.manual,
        };
        given.insert((period, at), one);
    }
    given
}

fn check_against_the_model(world: &World) -> Result<(), TestCaseError> {
    let mut given = BTreeMap::new();
    for (&period, row) in &world.periods {
        prop_assert_eq!(row.stored, model::total(world, period), "period {}", period);
        let stored: BTreeMap<i64, Total> = world
            .rows
            .range((period, i64::MIN)..=(period, i64::MAX))
            .map(|(key, row)| (key.1, row.stored))
            .collect();
        prop_assert_eq!(
            stored,
            model::disaggregations(world, period),
            "parts of {}",
            period
        );
        given.extend(model::contributions(world, period));
    }
    prop_assert_eq!(&world.given, &given);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn all_ways_agree_whatever_happens(
        parents in proptest::collection::vec(any::<u8>(), 1..7),
        n_periods in 1_i64..4,
        measure in proptest::sample::select(vec![Measure::Unit, Measure::Unit, Measure::Percentage, Measure::Qualitative]),
        cumulative in any::<bool>(),
        events in proptest::collection::vec(event(), 1..25),
        order in any::<u64>(),
    ) {
        let tree: Vec<(i64, Option<i64>)> = (1_i64..)
            .zip(&parents)
            .map(|(id, &parent)| (id, Some(i64::from(parent) % id).filter(|&p| p > 0)))
            .collect();
        let mut world = World::new(&tree, n_periods, measure, cumulative);
        world.aggregate();
        let mut periods = Live::new();
        let mut parts = Live::new();
        let (mut old_periods, mut old_parts) = (BTreeMap::new(), BTreeMap::new());
        for event in &events {
            let mut starts = happen(&mut world, event);
            // The order of jobs does not matter; nor whether they run one by one.
            let n = starts.len().max(1);
            starts.rotate_left(usize::try_from(order % n as u64).unwrap());
            if order % 2 == 0 {
                world.climb(&starts);
            } else {
                for start in starts {
                    world.climb(&[start]);
                }
            }
            check_against_the_model(&world)?;

            let new_periods = given_periods(&world);
            sync(&mut periods, &old_periods, &new_periods);
            for (id, row) in &world.periods {
                prop_assert_eq!(periods.total(*id), Some(&row.stored));
            }
            old_periods = new_periods;
            let new_parts = given_parts(&world);
            sync(&mut parts, &old_parts, &new_parts);
            for (key, row) in &world.rows {
                prop_assert_eq!(parts.total(*key), Some(&row.stored));
            }
            old_parts = new_parts;
        }
        // Bulk finds nothing to write, and from nothing it writes the same.
        let before = world.n_writes;
        world.aggregate();
        prop_assert_eq!(world.n_writes, before);
        let mut anew = world.clone();
        for row in anew.periods.values_mut() {
            row.stored = Total::default();
            row.texts = rsr_aggregation::PeriodTexts::default();
        }
        for row in anew.rows.values_mut() {
            row.stored = Total::computed(value("77"));
        }
        anew.given.clear();
        anew.aggregate();
        check_against_the_model(&anew)?;
        for (id, row) in &anew.periods {
            prop_assert_eq!(&row.texts, &world.periods[id].texts);
        }
    }

    #[test]
    fn the_sweep_finds_each_periods_own_part(
        ends in proptest::collection::vec(proptest::option::of(2020_i32..2024), 1..6),
        reports in proptest::collection::vec((any::<usize>(), 1_i64..4, 0_i64..4, numbers(), proptest::collection::vec((0_i64..3, numbers()), 0..3)), 0..20),
        measure in proptest::sample::select(vec![Measure::Unit, Measure::Percentage, Measure::Qualitative]),
        cumulative in any::<bool>(),
    ) {
        let indicator = Indicator { id: IndicatorId(1), measure, cumulative, has_scores: false };
        let periods: Vec<PeriodEnd> = (0..)
            .zip(&ends)
            .map(|(id, end)| PeriodEnd { id: PeriodId(id), end: end.map(year_end) })
            .collect();
        let updates: Vec<Update> = (0..)
            .zip(&reports)
            .map(|(id, (at, user, created, numbers, parts))| {
                let period = periods[at % periods.len()];
                Update {
                    id: UpdateId(id),
                    user: UserId(*user),
                    period: period.id,
                    period_end: period.end,
                    created: rsr_aggregation::Moment(*created),
                    numbers: *numbers,
                    disaggregations: parts.iter().map(|&(v, n)| (DimensionValueId(v), n)).collect(),
                }
            })
            .collect();
        let mut swept = BTreeMap::new();
        let of = IndicatorUpdates { indicator, periods: &periods, updates: &updates };
        own_parts(&of, |period, own| assert!(swept.insert(period, own).is_none())).unwrap();
        for period in &periods {
            let literal = own_part(&indicator, period, &updates).unwrap();
            let found = swept.remove(&period.id).unwrap_or_default();
            prop_assert_eq!(found, literal);
        }
        prop_assert_eq!(swept.len(), 0);
    }
}

//! The rules taken literally: every total from the updates alone, by recursion, slowly. It shares no code with the
//! crate but the numbers.

use std::collections::{BTreeMap, BTreeSet};

use rsr_aggregation::{Hundredths, Measure, Numbers, Total, Update};

use crate::world::{World, value};

type Number = Option<Hundredths>;

fn plus(a: Number, b: Number) -> Number {
    match (a, b) {
        (None, other) | (other, None) => other,
        (Some(a), Some(b)) => Some(a.checked_add(b).unwrap()),
    }
}

fn sum(a: Numbers, b: Numbers) -> Numbers {
    Numbers {
        value: plus(a.value, b.value),
        numerator: plus(a.numerator, b.numerator),
        denominator: plus(a.denominator, b.denominator),
    }
}

/// The updates that count for a period: rules 1 to 4.
fn counting(world: &World, period: i64) -> Vec<Update> {
    let row = &world.periods[&period];
    let indicator = &world.projects[&row.project].indicator;
    let approved = || {
        let approved = world.reports.values().filter(|report| report.is_approved);
        approved.map(|report| &report.update)
    };
    if !indicator.cumulative || indicator.measure != Measure::Unit {
        return approved()
            .filter(|u| u.period.0 == period)
            .cloned()
            .collect();
    }
    let candidates: Vec<&Update> = approved()
        .filter(|update| world.periods[&update.period.0].project == row.project)
        .filter(|update| {
            let is_own = update.period.0 == period;
            let ends_before = match (update.period_end, row.end) {
                (Some(theirs), Some(ours)) => theirs < ours,
                (Some(_), None) => true,
                (None, _) => false,
            };
            is_own || ends_before
        })
        .collect();
    let users: BTreeSet<_> = candidates.iter().map(|update| update.user).collect();
    let mut chosen = Vec::new();
    for user in users {
        let of_user = candidates.iter().filter(|update| update.user == user);
        let best = of_user.max_by(|a, b| {
            let own_is_last = |u: &Update| u.period_end.is_none();
            own_is_last(a)
                .cmp(&own_is_last(b))
                .then(a.period_end.cmp(&b.period_end))
                .then(a.created.cmp(&b.created))
                .then(a.id.cmp(&b.id))
        });
        chosen.extend(best.map(|update| (*update).clone()));
    }
    chosen
}

fn open_children(world: &World, period: i64) -> Vec<i64> {
    let is_open_child = |id: &&i64| {
        let row = &world.periods[*id];
        row.parent == Some(period)
            && world.projects[&row.project].to_parent
            && world.projects[&world.periods[&period].project].takes_children
    };
    world
        .periods
        .keys()
        .filter(is_open_child)
        .copied()
        .collect()
}

/// What stands at a period: rules 7 to 14.
pub(crate) fn total(world: &World, period: i64) -> Total {
    let row = &world.periods[&period];
    let measure = world.projects[&row.project].indicator.measure;
    let updates = counting(world, period);
    let mut numbers = updates
        .iter()
        .fold(Numbers::NONE, |so_far, u| sum(so_far, u.numbers));
    let mut n_contributors = 0;
    for child in open_children(world, period) {
        let child = total(world, child).numbers;
        let contributes = match measure {
            Measure::Unit => child.value.is_some(),
            Measure::Percentage => child.numerator.is_some() || child.denominator.is_some(),
            Measure::Qualitative => false,
        };
        if contributes {
            n_contributors += 1;
            numbers = sum(numbers, child);
        }
    }
    let is_manual = row.manual.is_some() && updates.is_empty() && n_contributors == 0;
    if is_manual {
        numbers = row.manual.unwrap();
    }
    let numbers = match measure {
        Measure::Qualitative => Numbers::NONE,
        Measure::Unit => Numbers {
            value: numbers.value,
            ..Numbers::NONE
        },
        Measure::Percentage => {
            let percentage = match (numbers.numerator, numbers.denominator) {
                (Some(n), Some(d)) if d != Hundredths::ZERO => Some(half_even(n, d)),
                (Some(_), Some(_)) => None,
                _ => numbers.value.filter(|_| is_manual),
            };
            Numbers {
                value: percentage,
                ..numbers
            }
        }
    };
    Total { numbers, is_manual }
}

/// The nearest of two places, found by trying.
fn half_even(numerator: Hundredths, denominator: Hundredths) -> Hundredths {
    let (n, d) = (numerator.hundredths() * 10_000, denominator.hundredths());
    let near = n / d;
    let best = (near - 1..=near + 1)
        .min_by_key(|q| ((q * d - n).abs(), q % 2 != 0))
        .unwrap();
    Hundredths::from_hundredths(best)
}

/// The dimension values of a period that have a row: rules 22, 26, 27, and what has one already.
fn values(world: &World, period: i64) -> BTreeSet<i64> {
    let project = world.periods[&period].project;
    if world.projects[&project].indicator.measure == Measure::Qualitative {
        return BTreeSet::new();
    }
    let attached = (0..world.n_attached[&project]).map(|d| project * 10 + d);
    let stored = world.rows.range((period, i64::MIN)..=(period, i64::MAX));
    let mut values: BTreeSet<i64> = attached.chain(stored.map(|(key, _)| key.1)).collect();
    for update in counting(world, period) {
        values.extend(update.disaggregations.iter().map(|(value, _)| value.0));
    }
    for child in open_children(world, period) {
        let of_child = self::values(world, child);
        values.extend(of_child.iter().filter_map(|value| world.values[value]));
    }
    values
}

/// The disaggregations of a period: rules 23 to 27.
pub(crate) fn disaggregations(world: &World, period: i64) -> BTreeMap<i64, Total> {
    let updates = counting(world, period);
    let children: Vec<_> = open_children(world, period)
        .into_iter()
        .map(|child| disaggregations(world, child))
        .collect();
    let one = |at: i64| {
        let own = updates
            .iter()
            .flat_map(|update| &update.disaggregations)
            .filter(|(value, _)| value.0 == at)
            .map(|(_, numbers)| *numbers);
        let from_children = children
            .iter()
            .flatten()
            .filter(|(below, _)| world.values[below] == Some(at))
            .map(|(_, total)| total.numbers);
        let has_contributors = from_children
            .clone()
            .any(|numbers| numbers != Numbers::NONE);
        let manual = world.rows.get(&(period, at)).and_then(|row| row.manual);
        match manual {
            Some(numbers) if updates.is_empty() && !has_contributors => Total {
                numbers,
                is_manual: true,
            },
            _ => Total::computed(own.chain(from_children).fold(Numbers::NONE, sum)),
        }
    };
    values(world, period)
        .into_iter()
        .map(|at| (at, one(at)))
        .collect()
}

/// What child projects give: rule 30.
pub(crate) fn contributions(world: &World, period: i64) -> BTreeMap<(i64, i64, i64), Numbers> {
    let mut given = BTreeMap::new();
    for child in open_children(world, period) {
        let project = world.periods[&child].project;
        for (value, total) in disaggregations(world, child) {
            if let Some(parent) = world.values[&value] {
                let so_far = given
                    .entry((period, parent, project))
                    .or_insert(Numbers::NONE);
                *so_far = sum(*so_far, total.numbers);
            }
        }
    }
    given
}

#[test]
fn the_model_itself_tells_no_value_from_zero() {
    let mut world = World::new(&[(1, None), (2, Some(1))], 1, Measure::Unit, false);
    assert_eq!(total(&world, 10), Total::default());
    world.report(20, 1, value("0"), &[]);
    assert_eq!(total(&world, 10).numbers, value("0"));
}

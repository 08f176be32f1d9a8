//! Whatever changes, and in whatever order and however often jobs run: what stands is what the rules taken literally make
//! of what was reported, and one computation of the whole finds nothing to write.

use proptest::prelude::*;
use rsr_base::{DimensionValueId, IndicatorId, PeriodId, UpdateId, UserId};
use rsr_store::{IndicatorEdit, NewUpdate, ProjectEdit, UpdateEdit, UpdateStatus};

use super::audit::findings;
use super::example::{Example, disaggregations, number};

const YEARS: usize = 2;
const CASES: u32 = 8;

/// Something that happens; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Change {
    Report {
        place: usize,
        year: usize,
        user: usize,
        is_approved: bool,
        value: i64,
    },
    Judge(usize, bool),
    Amend(usize, i64),
    Delete(usize),
    Switch(usize, bool, bool),
    /// Under another project, where it comes before the moved one, or under none.
    Move(usize, Option<usize>),
    Remove(usize),
    RunOn(usize, bool),
    /// A period is computed once more.
    Again(usize, usize),
    Work,
}

fn change() -> impl Strategy<Value = Change> {
    let at = || 0_usize..64;
    prop_oneof![
        8 => (at(), 0..YEARS, 0_usize..2, prop::bool::weighted(0.8), -5_i64..20).prop_map(
            |(place, year, user, is_approved, value)| Change::Report { place, year, user, is_approved, value }
        ),
        1 => (at(), any::<bool>()).prop_map(|(nth, is_approved)| Change::Judge(nth, is_approved)),
        1 => (at(), -5_i64..20).prop_map(|(nth, value)| Change::Amend(nth, value)),
        1 => at().prop_map(Change::Delete),
        2 => (at(), any::<bool>(), any::<bool>()).prop_map(|(place, up, down)| Change::Switch(place, up, down)),
        2 => (at(), prop::option::of(at())).prop_map(|(place, to)| Change::Move(place, to)),
        1 => at().prop_map(Change::Remove),
        1 => (at(), any::<bool>()).prop_map(|(place, is_on)| Change::RunOn(place, is_on)),
        1 => (at(), 0..YEARS).prop_map(|(place, year)| Change::Again(place, year)),
        2 => Just(Change::Work),
    ]
}

/// A project as the rules see it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the rules know as many switches"
)]
struct Node {
    parent: Option<usize>,
    /// Whether its periods take after those of its parent.
    is_linked: bool,
    up: bool,
    down: bool,
    runs_on: bool,
    is_gone: bool,
    indicator: IndicatorId,
    periods: [PeriodId; YEARS],
    genders: [DimensionValueId; 2],
}

#[derive(Clone, Copy)]
struct Report {
    id: UpdateId,
    place: usize,
    year: usize,
    user: usize,
    is_approved: bool,
    value: i64,
}

/// What of a report is summed: its value, or one of its parts.
type Part = fn(&Report) -> i64;
const PARTS: [Part; 3] = [
    |report| report.value,
    |report| report.value + 1,
    |report| 2 * report.value,
];

struct World {
    example: Example,
    users: [UserId; 2],
    nodes: Vec<Node>,
    reports: Vec<Report>,
}

impl World {
    fn new(parents: &[usize], runs_on: bool) -> Self {
        let parents: Vec<Option<usize>> = std::iter::once(None)
            .chain(
                (1..)
                    .zip(parents)
                    .map(|(place, parent)| Some(parent % place)),
            )
            .collect();
        let example = Example::with(&parents, "1", runs_on, YEARS);
        example.roll_up();
        let snapshot = example.test.store.snapshot().unwrap();
        let nodes = parents
            .iter()
            .zip(&example.projects)
            .map(|(parent, project)| {
                let results = snapshot.results(*project, None, 1).unwrap();
                let indicator = &results[0].indicators[0];
                let genders = &indicator.periods[0].disaggregations;
                Node {
                    parent: *parent,
                    is_linked: parent.is_some(),
                    up: true,
                    down: true,
                    runs_on,
                    is_gone: false,
                    indicator: indicator.id,
                    periods: [0, 1].map(|year| indicator.periods[year].id),
                    genders: [0, 1].map(|nth| genders[nth].dimension_value),
                }
            });
        let nodes = nodes.collect();
        let other = example.write(|tx| tx.create_user("another", None, false));
        Self {
            users: [example.user, other],
            example,
            nodes,
            reports: Vec::new(),
        }
    }

    fn parts(&self, place: usize, value: i64) -> Vec<rsr_store::Disaggregation> {
        let parts = [i128::from(value) + 1, 2 * i128::from(value)];
        let parts: Vec<_> = self.nodes[place].genders.into_iter().zip(parts).collect();
        disaggregations(&parts)
    }

    /// The projects whose periods take after those of one, and so on, with itself.
    fn copies(&self, place: usize) -> Vec<usize> {
        let mut copies = vec![place];
        for (nth, node) in self.nodes.iter().enumerate().skip(place + 1) {
            if node.is_linked && node.parent.is_some_and(|parent| copies.contains(&parent)) {
                copies.push(nth);
            }
        }
        copies
    }

    fn happen(&mut self, change: &Change) {
        let status = |is| {
            if is {
                UpdateStatus::Approved
            } else {
                UpdateStatus::Pending
            }
        };
        let alive: Vec<usize> = (0..self.nodes.len())
            .filter(|&place| !self.nodes[place].is_gone)
            .collect();
        let pick = |nth: usize| alive[nth % alive.len()];
        let report = |nth: usize| (!self.reports.is_empty()).then(|| nth % self.reports.len());
        let example = &self.example;
        match *change {
            Change::Report {
                place,
                year,
                user,
                is_approved,
                value,
            } => {
                let place = pick(place);
                let new = NewUpdate {
                    period: self.nodes[place].periods[year],
                    user: self.users[user],
                    status: status(is_approved),
                    numbers: number(value.into()),
                    text: String::new(),
                    narrative: String::new(),
                    score: None,
                    scores: Vec::new(),
                    disaggregations: self.parts(place, value),
                };
                let id = example.write(|tx| tx.create_update(&new));
                self.reports.push(Report {
                    id,
                    place,
                    year,
                    user,
                    is_approved,
                    value,
                });
            }
            Change::Judge(nth, is_approved) => {
                let Some(nth) = report(nth) else { return };
                let edit = UpdateEdit {
                    status: Some(status(is_approved)),
                    ..UpdateEdit::default()
                };
                example.write(|tx| tx.edit_update(self.reports[nth].id, &edit));
                self.reports[nth].is_approved = is_approved;
            }
            Change::Amend(nth, value) => {
                let Some(nth) = report(nth) else { return };
                let edit = UpdateEdit {
                    numbers: Some(number(value.into())),
                    disaggregations: Some(self.parts(self.reports[nth].place, value)),
                    ..UpdateEdit::default()
                };
                example.write(|tx| tx.edit_update(self.reports[nth].id, &edit));
                self.reports[nth].value = value;
            }
            Change::Delete(nth) => {
                let Some(nth) = report(nth) else { return };
                example.write(|tx| tx.delete_update(self.reports[nth].id));
                self.reports.remove(nth);
            }
            Change::Switch(place, up, down) => {
                let place = pick(place);
                let edit = ProjectEdit {
                    aggregate_to_parent: Some(up),
                    aggregate_children: Some(down),
                    ..ProjectEdit::default()
                };
                example.write(|tx| tx.edit_project(example.projects[place], &edit));
                (self.nodes[place].up, self.nodes[place].down) = (up, down);
            }
            Change::Move(place, to) => {
                let place = pick(place);
                let to = to.map(pick).filter(|&to| to < place);
                let node = &mut self.nodes[place];
                if to.is_some() && to == node.parent {
                    return;
                }
                let parent = to.map(|to| example.projects[to]);
                example.write(|tx| tx.move_project(example.projects[place], parent, true));
                (node.parent, node.is_linked) = (to, false);
            }
            Change::Remove(place) => {
                let place = pick(place);
                if alive.len() < 3 || self.nodes[place].parent.is_none() {
                    return;
                }
                example.write(|tx| tx.delete_project(example.projects[place]));
                let mut gone = vec![place];
                for nth in place + 1..self.nodes.len() {
                    if self.nodes[nth]
                        .parent
                        .is_some_and(|parent| gone.contains(&parent))
                    {
                        gone.push(nth);
                    }
                }
                gone.iter().for_each(|&nth| self.nodes[nth].is_gone = true);
                self.reports.retain(|report| !gone.contains(&report.place));
            }
            Change::RunOn(place, is_on) => {
                let place = pick(place);
                if self.nodes[place].is_linked {
                    return;
                }
                let edit = IndicatorEdit {
                    is_cumulative: Some(is_on),
                    ..IndicatorEdit::default()
                };
                example.write(|tx| tx.edit_indicator(self.nodes[place].indicator, &edit));
                for copy in self.copies(place) {
                    self.nodes[copy].runs_on = is_on;
                }
            }
            Change::Again(place, year) => {
                let period = self.nodes[pick(place)].periods[year];
                example.write(|tx| tx.queue_period(period));
            }
            Change::Work => assert_eq!(example.work(), []),
        }
    }

    /// Rules 2, 3, 8, 9, 11, 12 and 23 to 25, one period at a time.
    fn expected(&self, place: usize, year: usize, part: Part) -> Option<i64> {
        let node = &self.nodes[place];
        let own = self
            .reports
            .iter()
            .filter(|report| report.place == place && report.is_approved);
        let mut terms: Vec<i64> = Vec::new();
        if node.runs_on {
            for user in 0..2 {
                let of_user = own
                    .clone()
                    .filter(|report| report.user == user && report.year <= year);
                terms.extend(
                    of_user
                        .max_by_key(|report| (report.year, report.id))
                        .map(part),
                );
            }
        } else {
            terms.extend(own.filter(|report| report.year == year).map(part));
        }
        for (nth, child) in self.nodes.iter().enumerate() {
            let is_child = child.parent == Some(place) && child.is_linked && !child.is_gone;
            if is_child && child.up && node.down {
                terms.extend(self.expected(nth, year, part));
            }
        }
        (!terms.is_empty()).then(|| terms.iter().sum())
    }

    /// What is stored, in the same form.
    fn stored(&self, place: usize, year: usize) -> Option<[Option<i64>; 3]> {
        let snapshot = self.example.test.store.snapshot().unwrap();
        let results = snapshot
            .results(self.example.projects[place], None, 1)
            .unwrap();
        let period = &results.first()?.indicators[0].periods[year];
        let whole = |number: Option<rsr_aggregation::Hundredths>| {
            number.map(|number| i64::try_from(number.hundredths() / 100).unwrap())
        };
        let part = |nth: usize| {
            let gender = self.nodes[place].genders[nth];
            let rows = &period.disaggregations;
            let row = rows.iter().find(|row| row.dimension_value == gender)?;
            whole(row.numbers.value)
        };
        Some([whole(period.numbers.value), part(0), part(1)])
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn jobs_bulk_and_the_rules_taken_literally_agree(
        parents in prop::collection::vec(0_usize..8, 1..7),
        runs_on: bool,
        changes in prop::collection::vec(change(), 1..32),
    ) {
        let mut world = World::new(&parents, runs_on);
        for change in &changes {
            world.happen(change);
        }
        prop_assert_eq!(world.example.work(), []);
        for (place, node) in world.nodes.iter().enumerate() {
            for year in (0..YEARS).filter(|_| !node.is_gone) {
                let expected = PARTS.map(|part| world.expected(place, year, part));
                prop_assert_eq!(world.stored(place, year), Some(expected), "project {}, year {}", place, year);
            }
        }
        let found = findings(&world.example, None);
        prop_assert_eq!(found.as_str(), "");
        for (node, project) in world.nodes.iter().zip(&world.example.projects) {
            if node.parent.is_none() {
                let report = world.example.test.store.roll_up(*project).unwrap().periods;
                prop_assert_eq!((report.n_periods_written, report.n_disaggregations_written), (0, 0));
                prop_assert_eq!((report.n_contributions_written, report.n_texts_written), (0, 0));
            }
        }
    }
}

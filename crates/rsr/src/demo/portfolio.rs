//! The sample portfolio as a description: what each project is, where, with whom, for how much. Knows no database and
//! no IATI.

use super::facts::{
    COUNTRIES, Country, FUNDERS, LEVELS, OrganisationFact, PARTNERS, REPORTER, THEMES, Theme, YEARS,
};
use super::random::Random;
use super::shape::{Position, Shape};

/// A portfolio that a seed and a number of projects decide. Projects are made when they are asked for: a million of
/// them need no more memory than one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portfolio {
    seed: u64,
    shape: Shape,
}

/// One project, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Project {
    /// Its number in the portfolio.
    pub(crate) number: usize,
    pub(crate) position: Position,
    pub(crate) identifier: String,
    pub(crate) title: String,
    pub(crate) subtitle: String,
    pub(crate) description: String,
    /// Codes of the IATI codelist: 2 under way, 3 finished but not closed.
    pub(crate) status: &'static str,
    /// First and last day as planned.
    pub(crate) planned: (String, String),
    pub(crate) actual_start: String,
    pub(crate) actual_end: Option<String>,
    /// Country codes with shares in percent that add up to 100.
    pub(crate) countries: Vec<(&'static str, u32)>,
    /// Name, latitude, longitude; a programme is in no one place.
    pub(crate) place: Option<(&'static str, &'static str, &'static str)>,
    pub(crate) funder: OrganisationFact,
    pub(crate) partner: OrganisationFact,
    pub(crate) budgets: Vec<Budget>,
    pub(crate) payments: Vec<Payment>,
}

/// The budget of a year, in whole euros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) year: u32,
    pub(crate) euros: u32,
}

/// What a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaymentKind {
    /// Funds that came in from the funder.
    Incoming,
    /// Funds handed to the partner.
    Disbursement,
    /// Money spent.
    Expenditure,
}

/// Money that changed hands, in whole euros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) kind: PaymentKind,
    pub(crate) date: String,
    pub(crate) euros: u32,
    pub(crate) what: &'static str,
}

/// Streams of random numbers, one a purpose; each project has as many.
const STREAMS: u64 = 4;

impl Portfolio {
    /// The portfolio of this seed with this many projects.
    pub(crate) fn new(seed: u64, n_projects: usize) -> Self {
        Self {
            seed,
            shape: Shape::new(n_projects),
        }
    }

    /// Tells portfolios of other seeds and sizes apart.
    pub(crate) fn name(&self) -> String {
        format!("N{}S{}", self.shape.n_projects(), self.seed)
    }

    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Random numbers for one purpose (0 to 3) of one project.
    pub(super) fn random(&self, number: usize, purpose: u64) -> Random {
        Random::new(self.seed, number as u64 * STREAMS + purpose % STREAMS)
    }

    /// What a programme works on.
    pub(crate) fn theme(&self, programme: usize) -> &'static Theme {
        at(THEMES, programme)
    }

    /// The identifier that project `number` is published under.
    pub(crate) fn identifier(&self, number: usize) -> String {
        let Position {
            programme, within, ..
        } = self.shape.position(number);
        format!(
            "{}-{}-{:03}-{within:04}",
            REPORTER.0,
            self.name(),
            programme + 1
        )
    }

    /// The country that a project works in; none for a programme, which works in several.
    fn country(&self, position: &Position) -> Option<&'static Country> {
        let mut position = *position;
        while position.level > 2 {
            position = self.shape.position(position.parent?);
        }
        (position.level == 2).then(|| at(COUNTRIES, position.programme * 3 + position.sibling))
    }

    fn programme_countries(&self, number: usize) -> Vec<(&'static str, u32)> {
        let children = self.shape.children(number);
        let n = u32::try_from(children.len().clamp(1, COUNTRIES.len())).unwrap_or(1);
        let programme = self.shape.position(number).programme;
        (0..n)
            .map(|place| {
                let country = at(COUNTRIES, programme * 3 + place as usize);
                // What a division leaves over goes to the first.
                let share = 100 / n + if place == 0 { 100 % n } else { 0 };
                (country.code, share)
            })
            .collect()
    }

    /// Project `number`, described.
    pub(crate) fn project(&self, number: usize) -> Project {
        let position = self.shape.position(number);
        let mut random = self.random(number, 0);
        let theme = self.theme(position.programme);
        let country = self.country(&position);
        let place = country
            .filter(|_| position.level > 2)
            .map(|country| *random.pick(country.places));
        let level = at(LEVELS, position.level as usize - 1);
        let (title, where_to) = match (country, place) {
            (None, _) => (
                format!("{}: {level}", theme.title),
                "in several countries".to_owned(),
            ),
            (Some(country), None) => (
                format!("{}: {}", theme.title, country.name),
                format!("in {}", country.name),
            ),
            (Some(country), Some((place, ..))) => (
                format!(
                    "{}: {place}, {}, {level} {}",
                    theme.title, country.name, position.within
                ),
                format!("in {place}, {}", country.name),
            ),
        };
        // The deeper a project lies, the later it begins and the sooner it ends.
        let start_month = (position.level * 2).saturating_sub(1).clamp(1, 9) + random.between(0, 2);
        let is_finished = position.is_leaf && random.percent(25);
        let mut project = Project {
            number,
            position,
            identifier: self.identifier(number),
            title,
            subtitle: capitalised(level),
            description: format!("This {level} {} {where_to}.", theme.purpose),
            status: if is_finished { "3" } else { "2" },
            planned: (
                format!("2022-{:02}-01", start_month.saturating_sub(1).max(1)),
                "2025-12-31".to_owned(),
            ),
            actual_start: format!("2022-{start_month:02}-01"),
            actual_end: is_finished.then(|| "2024-12-15".to_owned()),
            countries: match country {
                Some(country) => vec![(country.code, 100)],
                None => self.programme_countries(number),
            },
            place,
            funder: *at(FUNDERS, position.programme),
            partner: *random.pick(PARTNERS),
            budgets: Vec::new(),
            payments: Vec::new(),
        };
        self.add_money(&mut project);
        project
    }

    /// A budget a year, funds that come in early each year, and what was spent of them.
    fn add_money(&self, project: &mut Project) {
        let mut random = self.random(project.number, 1);
        let a_year = match project.position.level {
            1 => random.between(900, 1500) * 1000,
            2 => random.between(200, 400) * 1000,
            3 => random.between(60, 110) * 1000,
            _ => random.between(8, 30) * 1000,
        };
        for year in YEARS {
            let euros = a_year / 100 * random.between(85, 115);
            project.budgets.push(Budget { year, euros });
            let first_month = if year == 2022 { 11 } else { 2 };
            let day = random.between(1, 28);
            let mut pay = |kind, month: u32, euros, what| {
                let date = format!("{year}-{month:02}-{day:02}");
                project.payments.push(Payment {
                    kind,
                    date,
                    euros,
                    what,
                });
            };
            pay(
                PaymentKind::Incoming,
                first_month,
                euros / 100 * 96,
                "Funds of the year",
            );
            if project.position.is_leaf {
                pay(
                    PaymentKind::Expenditure,
                    12,
                    euros / 100 * random.between(70, 95),
                    "Spent in the year",
                );
            } else {
                pay(
                    PaymentKind::Disbursement,
                    12,
                    euros / 100 * random.between(60, 90),
                    "Handed to the partner",
                );
            }
        }
    }
}

/// The entry at `place`, beginning anew after the last.
fn at<T>(items: &'static [T], place: usize) -> &'static T {
    items
        .get(place % items.len())
        .expect("the tables have entries")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_portfolio_and_another_one_another() {
        let all = |seed| {
            let portfolio = Portfolio::new(seed, 120);
            (0..120)
                .map(|number| portfolio.project(number))
                .collect::<Vec<_>>()
        };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
    }

    #[test]
    fn projects_are_believable() {
        let portfolio = Portfolio::new(5, 500);
        let mut identifiers = std::collections::BTreeSet::new();
        for number in 0..500 {
            let project = portfolio.project(number);
            assert!(
                identifiers.insert(project.identifier.clone()),
                "{}",
                project.identifier
            );
            let shares: u32 = project.countries.iter().map(|(_, share)| share).sum();
            assert_eq!(shares, 100, "{}", project.identifier);
            assert_eq!(project.place.is_some(), project.position.level > 2);
            assert!(project.planned.0 < project.planned.1);
            assert!(
                project
                    .actual_end
                    .as_ref()
                    .is_none_or(|end| *end > project.actual_start)
            );
            for payment in &project.payments {
                assert!(
                    payment.date >= project.actual_start && payment.euros > 0,
                    "{payment:?}"
                );
            }
            if let Some(parent) = project
                .position
                .parent
                .filter(|_| project.position.level > 2)
            {
                assert_eq!(
                    portfolio.project(parent).countries,
                    project.countries,
                    "a country holds all below it"
                );
            }
        }
        let shares = |theme: &Theme| theme.sectors.iter().map(|(_, _, share)| share).sum::<u32>();
        assert!(THEMES.iter().all(|theme| shares(theme) == 100));
    }
}

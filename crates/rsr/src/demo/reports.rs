//! What the people of the sample portfolio report: updates with values, pairs, parts by gender, stories and statuses.

use super::facts::{Counting, IndicatorFact, PEOPLE, YEARS};
use super::portfolio::Portfolio;
use super::random::Random;

/// How far an update is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Being written.
    Draft,
    /// Waits for approval.
    Pending,
    /// Sent back.
    Returned,
    /// Counts.
    Approved,
}

/// What an update says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A number, and its parts: women, then men.
    Number {
        value: u32,
        by_gender: Option<(u32, u32)>,
    },
    /// So many of so many.
    Share { numerator: u32, denominator: u32 },
    /// A narrative with its score.
    Story { text: &'static str, score: u32 },
}

/// One update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// The indicator's place in its theme.
    pub(crate) indicator: usize,
    /// The period's place among the years.
    pub(crate) period: usize,
    /// The person's place among the people.
    pub(crate) person: usize,
    pub(crate) status: Status,
    pub(crate) content: Content,
    pub(crate) comment: String,
}

const STORIES: [&str; 5] = [
    "The committee meets every month now and keeps its own books.",
    "A dry season cost us two months; the neighbours helped out.",
    "Women chair three of the five groups, which nobody expected.",
    "Spare parts are hard to find; a shop in the market will keep some from next year.",
    "People ask when the next village will have its turn.",
];

const COMMENTS: [&str; 4] = [
    "Counted from the registers",
    "From the visit in the last quarter",
    "Estimated from a third of the sites",
    "Checked with the district office",
];

impl Portfolio {
    /// The updates of project `number`, in the order in which they were made.
    ///
    /// Those at the ends of the tree report everything; those above now and then something of their own, shares
    /// excepted, which come from below.
    pub(crate) fn reports(&self, number: usize) -> Vec<Report> {
        let position = self.shape().position(number);
        let theme = self.theme(position.programme);
        let mut random = self.random(number, 2);
        let person = random.between(0, last(PEOPLE.len()));
        let mut reports = Vec::new();
        for (place, fact) in theme.indicators.iter().enumerate() {
            let is_own =
                position.is_leaf || (fact.counting == Counting::Unit && random.percent(30));
            if is_own {
                report_years(&mut random, place, fact, person, &mut reports);
            }
        }
        reports
    }
}

fn last(length: usize) -> u32 {
    u32::try_from(length.saturating_sub(1)).unwrap_or(u32::MAX)
}

fn report_years(
    random: &mut Random,
    indicator: usize,
    fact: &IndicatorFact,
    person: u32,
    reports: &mut Vec<Report>,
) {
    let mut total = 0;
    for period in 0..YEARS.len() {
        // Not everybody reports every year.
        if random.percent(8) {
            continue;
        }
        let value = fact.a_year * random.between(60, 120) / 100;
        let mut add = |person: u32, status, content, random: &mut Random| {
            let comment = format!("{}.", random.pick(&COMMENTS));
            reports.push(Report {
                indicator,
                period,
                person: person as usize,
                status,
                content,
                comment,
            });
        };
        let status = status(random);
        match fact.counting {
            Counting::Unit => {
                // Two people share the work of some years.
                let first = if random.percent(35) { value / 3 } else { value };
                add(person, status, number(random, fact, first), random);
                if first < value {
                    let other = (person + 1) % (last(PEOPLE.len()) + 1);
                    add(
                        other,
                        self::status(random),
                        number(random, fact, value - first),
                        random,
                    );
                }
            }
            Counting::Cumulative => {
                for _half_year in 0..2 {
                    total += value.div_ceil(2);
                    add(person, status, number(random, fact, total), random);
                }
            }
            Counting::Percentage => {
                let numerator = value * random.between(55, 95) / 100;
                add(
                    person,
                    status,
                    Content::Share {
                        numerator,
                        denominator: value.max(1),
                    },
                    random,
                );
            }
            Counting::Story => {
                let story = random.pick(&STORIES);
                let content = Content::Story {
                    text: story,
                    score: random.between(1, 5),
                };
                add(person, status, content, random);
            }
        }
    }
}

fn number(random: &mut Random, fact: &IndicatorFact, value: u32) -> Content {
    let women = value * random.between(40, 62) / 100;
    Content::Number {
        value,
        by_gender: fact.by_gender.then_some((women, value - women)),
    }
}

fn status(random: &mut Random) -> Status {
    match random.between(1, 100) {
        1..=4 => Status::Draft,
        5..=12 => Status::Pending,
        13..=16 => Status::Returned,
        _ => Status::Approved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_shares_are_shares_and_totals_grow() {
        let portfolio = Portfolio::new(3, 300);
        let mut n_approved = 0;
        let mut n_other = 0;
        for number in 0..300 {
            let reports = portfolio.reports(number);
            let facts = portfolio
                .theme(portfolio.shape().position(number).programme)
                .indicators;
            for report in &reports {
                match report.status {
                    Status::Approved => n_approved += 1,
                    _ => n_other += 1,
                }
                match &report.content {
                    Content::Number { value, by_gender } => {
                        assert_eq!(by_gender.is_some(), facts[report.indicator].by_gender);
                        assert!(by_gender.is_none_or(|(women, men)| women + men == *value));
                    }
                    Content::Share {
                        numerator,
                        denominator,
                    } => {
                        assert!(numerator <= denominator && *denominator > 0);
                    }
                    Content::Story { score, .. } => assert!((1..=5).contains(score)),
                }
            }
            for pair in reports.windows(2) {
                let is_total = facts[pair[0].indicator].counting == Counting::Cumulative;
                if let (
                    true,
                    true,
                    Content::Number { value: before, .. },
                    Content::Number { value: after, .. },
                ) = (
                    is_total,
                    pair[0].indicator == pair[1].indicator,
                    &pair[0].content,
                    &pair[1].content,
                ) {
                    assert!(before < after, "a running total grows");
                }
            }
        }
        assert!(
            n_approved > n_other * 3 && n_other > 20,
            "{n_approved} approved, {n_other} not"
        );
    }

    #[test]
    fn a_share_is_reported_once_a_period_and_never_above_the_ends() {
        let portfolio = Portfolio::new(4, 300);
        for number in 0..300 {
            let position = portfolio.shape().position(number);
            let mut seen = std::collections::BTreeSet::new();
            for report in portfolio.reports(number) {
                if matches!(report.content, Content::Share { .. }) {
                    assert!(
                        position.is_leaf && seen.insert((report.indicator, report.period)),
                        "{report:?}"
                    );
                }
            }
        }
    }
}

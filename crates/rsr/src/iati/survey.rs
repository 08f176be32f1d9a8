//! What there is in files of activities, counted while it streams by.

use std::collections::BTreeMap;

use rsr_iati::model::{ActivityElement, ActivityHead, Amount, Coded, Transaction, Value as _};

use super::sum::Sum;
use super::tally::Tally;

/// Most kinds of transaction that are added up apart.
const KINDS_MAX: usize = 2_000;
/// Most bytes of a code; what comes after is cut off.
const CODE_BYTES_MAX: usize = 40;

/// The level, type and currency of what came after those.
pub(crate) const OTHERS: &str = "others";

/// What transactions are added up by. Levels are kept apart: what a parent reports may be the money of its children.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MoneyKey {
    pub(crate) level: String,
    pub(crate) kind: String,
    pub(crate) currency: String,
}

/// Everything that is counted, of all files together. Memory does not grow with the activities.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Files read.
    pub(crate) n_files: u64,
    /// Bytes of decoded text.
    pub(crate) n_bytes: u64,
    /// Activities read to their end.
    pub(crate) n_activities: u64,
    /// Activities that could not be.
    pub(crate) n_skipped: u64,
    /// What reading found.
    pub(crate) n_findings: u64,
    /// Their children.
    pub(crate) n_elements: u64,
    /// The activity of most bytes, the first of several.
    pub(crate) largest: Option<Largest>,
    /// Activities by the version they were read as.
    pub(crate) versions: Tally,
    /// Activities by the reference of who reports them.
    pub(crate) reporting_orgs: Tally,
    /// Activities by status.
    pub(crate) statuses: Tally,
    /// Mentions of sectors, by vocabulary and code.
    pub(crate) sectors: Tally,
    /// Mentions of countries.
    pub(crate) countries: Tally,
    /// Activities by the year of their actual start, else of the planned one.
    pub(crate) start_years: Tally,
    /// Activities by level.
    pub(crate) hierarchies: Tally,
    pub(crate) transactions: BTreeMap<MoneyKey, Money>,
}

/// An activity by its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Largest {
    pub(crate) identifier: String,
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) n_bytes: u64,
}

/// Transactions of one level, type and currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Money {
    pub(crate) n: u64,
    pub(crate) sum: Sum,
    /// Those whose amount is missing or no number; they are not in the sum.
    pub(crate) n_without_amount: u64,
}

/// The activity at hand. What it counts joins the rest at its end, so that a broken one counts nowhere.
#[derive(Debug, Default)]
pub(crate) struct Open {
    pub(crate) identifier: String,
    currency: String,
    level: String,
    reporting_org: Option<String>,
    status: Option<String>,
    planned_start: Option<i32>,
    actual_start: Option<i32>,
    sectors: Tally,
    countries: Tally,
    n_elements: u64,
    transactions: BTreeMap<MoneyKey, Money>,
}

impl Open {
    /// Begins with an activity's attributes.
    pub(crate) fn new(head: &ActivityHead) -> Self {
        let level = head.hierarchy.as_ref().map_or("1", |level| level.text());
        Self {
            currency: short(head.default_currency.as_deref()),
            level: short(Some(level)),
            ..Self::default()
        }
    }

    /// Looks at one of its elements; the first of its kind counts where one is allowed.
    pub(crate) fn note(&mut self, element: &ActivityElement) {
        self.n_elements += 1;
        match element {
            ActivityElement::Identifier(identifier) if self.identifier.is_empty() => {
                self.identifier = identifier.identifier().to_owned();
            }
            ActivityElement::ReportingOrg(org) => {
                self.reporting_org
                    .get_or_insert_with(|| trimmed(org.reference.as_deref()).to_owned());
            }
            ActivityElement::ActivityStatus(status) => {
                self.status
                    .get_or_insert_with(|| short(status.code.as_deref()));
            }
            ActivityElement::ActivityDate(date) => {
                let year = date.date.as_ref().and_then(|day| day.value());
                let year = year.map(|day| day.year());
                match date.kind.as_deref().map(str::trim) {
                    Some("1") => self.planned_start = self.planned_start.or(year),
                    Some("2") => self.actual_start = self.actual_start.or(year),
                    _ => {}
                }
            }
            ActivityElement::Sector(sector) => {
                self.sector(sector.vocabulary.as_deref(), sector.code.as_deref());
            }
            ActivityElement::RecipientCountry(country) => {
                self.countries.add(trimmed(country.code.as_deref()));
            }
            ActivityElement::Transaction(transaction) => self.transaction(transaction),
            _ => {}
        }
    }

    fn sector(&mut self, vocabulary: Option<&str>, code: Option<&str>) {
        // The standard's default: DAC's five digits.
        let vocabulary = vocabulary.map_or("1", str::trim);
        self.sectors.add(&format!("{vocabulary}:{}", trimmed(code)));
    }

    fn transaction(&mut self, transaction: &Transaction) {
        for sector in &transaction.sectors {
            self.sector(sector.vocabulary.as_deref(), sector.code.as_deref());
        }
        if let Some(country) = &transaction.country {
            self.countries.add(trimmed(country.code.as_deref()));
        }
        let kind = transaction.kind.as_ref().and_then(code);
        let amount = transaction.value.as_ref();
        let own = amount.and_then(|amount: &Amount| amount.currency.as_deref());
        let currency = own.map_or_else(|| self.currency.clone(), |own| short(Some(own)));
        let money = Money {
            n: 1,
            ..Money::default()
        };
        let number = amount.and_then(|amount| amount.amount.value());
        let money = match number {
            Some(number) => {
                let mut sum = Sum::default();
                sum.add(number);
                Money { sum, ..money }
            }
            None => Money {
                n_without_amount: 1,
                ..money
            },
        };
        let key = MoneyKey {
            level: self.level.clone(),
            kind: short(kind),
            currency,
        };
        join(&mut self.transactions, key, &money);
    }
}

impl Survey {
    /// Takes in an activity that is complete.
    pub(crate) fn close(
        &mut self,
        open: &Open,
        version: &str,
        file: &str,
        line: u64,
        n_bytes: u64,
    ) {
        self.n_activities += 1;
        self.n_elements += open.n_elements;
        self.versions.add(version);
        self.reporting_orgs
            .add(open.reporting_org.as_deref().unwrap_or_default());
        self.statuses
            .add(open.status.as_deref().unwrap_or_default());
        self.hierarchies.add(&open.level);
        let year = open.actual_start.or(open.planned_start);
        self.start_years
            .add(&year.map(|year| year.to_string()).unwrap_or_default());
        for (into, from) in [
            (&mut self.sectors, &open.sectors),
            (&mut self.countries, &open.countries),
        ] {
            for (text, n) in from.iter() {
                into.add_many(text, n);
            }
        }
        for (key, money) in &open.transactions {
            join(&mut self.transactions, key.clone(), money);
        }
        if self
            .largest
            .as_ref()
            .is_none_or(|largest| largest.n_bytes < n_bytes)
        {
            self.largest = Some(Largest {
                identifier: open.identifier.clone(),
                file: file.to_owned(),
                line,
                n_bytes,
            });
        }
    }
}

fn join(all: &mut BTreeMap<MoneyKey, Money>, key: MoneyKey, more: &Money) {
    let is_known = all.contains_key(&key) || all.len() < KINDS_MAX;
    // Sums of different currencies are never added: the last entry counts the rest, and what it sums means nothing.
    let key = match is_known {
        true => key,
        false => MoneyKey {
            level: OTHERS.to_owned(),
            kind: OTHERS.to_owned(),
            currency: OTHERS.to_owned(),
        },
    };
    let money = all.entry(key).or_default();
    money.n += more.n;
    money.n_without_amount += more.n_without_amount;
    money.sum.join(&more.sum);
}

fn code(coded: &Coded) -> Option<&str> {
    coded.code.as_deref()
}

fn trimmed(text: Option<&str>) -> &str {
    text.unwrap_or_default().trim()
}

fn short(text: Option<&str>) -> String {
    let text = trimmed(text);
    let mut end = text.len().min(CODE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

//! The columns that queries ask for, derived from a typed element.

use rsr_base::ProjectId;
use rsr_iati::model::{
    ActivityElement, Amount, Coded, Dated, Decimal, Location, Transaction, Value as _,
};

use super::{block_text, day, first_text};
use crate::error::Error;
use crate::sql::{Root, Session, Table, Value, params};

/// The tables that hold such columns.
pub(super) const TABLES: [&str; 9] = [
    "participations",
    "sectors",
    "recipient_countries",
    "locations",
    "transactions",
    "budgets",
    "planned_disbursements",
    "documents",
    "related_activities",
];

const PARTICIPATIONS: Table = Table {
    name: "participations",
    level: 2,
    columns: &["project_id", "place", "role", "org_ref", "org_type", "name"],
};
const SECTORS: Table = Table {
    name: "sectors",
    level: 2,
    columns: &[
        "project_id",
        "place",
        "vocabulary",
        "code",
        "percentage",
        "name",
    ],
};
const RECIPIENT_COUNTRIES: Table = Table {
    name: "recipient_countries",
    level: 2,
    columns: &["project_id", "place", "code", "percentage"],
};
const LOCATIONS: Table = Table {
    name: "locations",
    level: 2,
    columns: &["project_id", "place", "name", "country", "pos"],
};
const BUDGETS: Table = Table {
    name: "budgets",
    level: 2,
    columns: &[
        "project_id",
        "place",
        "type",
        "status",
        "period_start",
        "period_end",
        "value",
        "currency",
        "value_date",
    ],
};
const PLANNED_DISBURSEMENTS: Table = Table {
    name: "planned_disbursements",
    level: 2,
    columns: &[
        "project_id",
        "place",
        "type",
        "period_start",
        "period_end",
        "value",
        "currency",
        "value_date",
    ],
};
const DOCUMENTS: Table = Table {
    name: "documents",
    level: 2,
    columns: &["project_id", "place", "url", "format", "title"],
};
const RELATED_ACTIVITIES: Table = Table {
    name: "related_activities",
    level: 2,
    columns: &["project_id", "place", "type", "ref"],
};
const TRANSACTIONS: Table = Table {
    name: "transactions",
    level: 2,
    columns: &[
        "project_id",
        "place",
        "type",
        "date",
        "value",
        "currency",
        "value_date",
        "provider_ref",
        "receiver_ref",
    ],
};

/// Writes the columns of an element, where its kind has any.
pub(super) fn write(
    db: &dyn Session,
    (project, root): (ProjectId, Root),
    place: i64,
    element: &ActivityElement,
    default_currency: &str,
) -> Result<(), Error> {
    match element {
        ActivityElement::ParticipatingOrg(org) => db.put(
            &PARTICIPATIONS,
            params![
                project,
                place,
                org.role.as_deref().unwrap_or_default(),
                org.reference.as_deref(),
                org.kind.as_deref(),
                first_text(&org.narratives),
                root
            ],
        ),
        ActivityElement::Sector(sector) => db.put(
            &SECTORS,
            params![
                project,
                place,
                sector.vocabulary.as_deref().unwrap_or("1"),
                sector.code.as_deref().unwrap_or_default(),
                sector.percentage.as_ref().map(Decimal::as_str),
                first_text(&sector.narratives),
                root
            ],
        ),
        ActivityElement::RecipientCountry(country) => db.put(
            &RECIPIENT_COUNTRIES,
            params![
                project,
                place,
                country.code.as_deref().unwrap_or_default(),
                country.percentage.as_ref().map(Decimal::as_str),
                root
            ],
        ),
        ActivityElement::Location(location) => db.put(
            &LOCATIONS,
            params![
                project,
                place,
                block_text(location.name.as_ref()),
                country(location),
                position(location),
                root
            ],
        ),
        ActivityElement::Transaction(transaction) => write_transaction(
            db,
            (project, root),
            place,
            transaction,
            &Money::of(transaction.value.as_ref(), default_currency),
        ),
        ActivityElement::Budget(budget) => {
            let money = Money::of(budget.value.as_ref(), default_currency);
            db.put(
                &BUDGETS,
                params![
                    project,
                    place,
                    budget.kind.as_deref().unwrap_or("1"),
                    budget.status.as_deref().unwrap_or("1"),
                    dated(budget.start.as_ref()).as_deref(),
                    dated(budget.end.as_ref()).as_deref(),
                    money.hundredths,
                    money.currency,
                    money.value_date.as_deref(),
                    root
                ],
            )
        }
        ActivityElement::PlannedDisbursement(planned) => {
            let money = Money::of(planned.value.as_ref(), default_currency);
            db.put(
                &PLANNED_DISBURSEMENTS,
                params![
                    project,
                    place,
                    planned.kind.as_deref().unwrap_or("1"),
                    dated(planned.start.as_ref()).as_deref(),
                    dated(planned.end.as_ref()).as_deref(),
                    money.hundredths,
                    money.currency,
                    money.value_date.as_deref(),
                    root
                ],
            )
        }
        ActivityElement::DocumentLink(document) => db.put(
            &DOCUMENTS,
            params![
                project,
                place,
                document.url.as_deref().unwrap_or_default(),
                document.format.as_deref().unwrap_or_default(),
                block_text(document.title.as_ref()),
                root
            ],
        ),
        ActivityElement::RelatedActivity(related) => db.put(
            &RELATED_ACTIVITIES,
            params![
                project,
                place,
                related.kind.as_deref().unwrap_or_default(),
                related.reference.as_deref().unwrap_or_default().trim(),
                root
            ],
        ),
        _ => Ok(()),
    }
}

fn write_transaction(
    db: &dyn Session,
    (project, root): (ProjectId, Root),
    place: i64,
    transaction: &Transaction,
    money: &Money<'_>,
) -> Result<(), Error> {
    let provider = transaction.provider.as_ref();
    let receiver = transaction.receiver.as_ref();
    db.put(
        &TRANSACTIONS,
        params![
            project,
            place,
            code(transaction.kind.as_ref()),
            dated(transaction.date.as_ref()).as_deref(),
            money.hundredths,
            money.currency,
            money.value_date.as_deref(),
            provider.and_then(|provider| provider.reference.as_deref()),
            receiver.and_then(|receiver| receiver.reference.as_deref()),
            root
        ],
    )
}

/// An amount as columns hold it. What does not fit hundredths exactly is in the element alone.
struct Money<'a> {
    hundredths: Value<'static>,
    currency: &'a str,
    value_date: Option<String>,
}

impl<'a> Money<'a> {
    fn of(amount: Option<&'a Amount>, default_currency: &'a str) -> Self {
        let number = amount.and_then(|amount| amount.amount.value());
        Self {
            hundredths: number
                .and_then(|number| number.hundredths())
                .map_or(Value::Null, Value::Hundredths),
            currency: amount
                .and_then(|amount| amount.currency.as_deref())
                .unwrap_or(default_currency),
            value_date: day(amount.and_then(|amount| amount.value_date.as_ref())),
        }
    }
}

fn dated(dated: Option<&Dated>) -> Option<String> {
    day(dated.and_then(|dated| dated.date.as_ref()))
}

pub(super) fn code(coded: Option<&Coded>) -> &str {
    coded
        .and_then(|coded| coded.code.as_deref())
        .unwrap_or_default()
}

/// The country a location says it lies in: the first of its divisions, the whole country, as a two-letter code.
fn country(location: &Location) -> Option<&str> {
    location.administratives.iter().find_map(|division| {
        let is_country = division
            .level
            .as_ref()
            .is_none_or(|level| matches!(level.text().trim(), "0" | "1"));
        let code = division.code.as_deref()?.trim();
        let is_code = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        (is_country && is_code).then_some(code)
    })
}

fn position(location: &Location) -> Option<&str> {
    let pos = location.point.as_ref()?.pos.as_ref()?;
    Some(pos.text.trim()).filter(|text| !text.is_empty())
}

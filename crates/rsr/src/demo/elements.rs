//! A described project as the elements of an IATI activity.

use rsr_iati::model::{
    ActivityDate, ActivityElement, ActivityHead, Administrative, Amount, Budget as BudgetElement,
    Coded, Dated, Decimal, Description, Identifier, Location, Narrative, ParticipatingOrg, Plain,
    Point, Provider, Receiver, RecipientCountry, RelatedActivity, ReportingOrg, Sector, TextBlock,
    Transaction, Whole,
};

use super::facts::{OrganisationFact, REPORTER};
use super::portfolio::{Budget, Payment, PaymentKind, Portfolio, Project};

/// The attributes of the activity.
pub(crate) fn head(project: &Project) -> ActivityHead {
    ActivityHead {
        language: Some("en".to_owned()),
        default_currency: Some("EUR".to_owned()),
        hierarchy: i32::try_from(project.position.level).ok().map(Whole::of),
        ..ActivityHead::default()
    }
}

/// Every element but the results, in the order of 2.03.
pub(crate) fn elements(portfolio: &Portfolio, project: &Project) -> Vec<ActivityElement> {
    let mut elements = vec![
        ActivityElement::Identifier(Identifier::new(&project.identifier)),
        ActivityElement::ReportingOrg(reporting_org()),
        ActivityElement::Title(TextBlock::new(&project.title)),
        ActivityElement::Description(Description {
            kind: Some("1".to_owned()),
            narratives: vec![Narrative::new(&project.description)],
            ..Description::default()
        }),
    ];
    for (role, organisation) in [
        ("1", project.funder),
        ("2", REPORTER),
        ("4", project.partner),
    ] {
        elements.push(ActivityElement::ParticipatingOrg(participating_org(
            role,
            organisation,
        )));
    }
    elements.push(ActivityElement::ActivityStatus(Coded::new(project.status)));
    let (planned_start, planned_end) = &project.planned;
    let dates = [
        ("1", Some(planned_start)),
        ("2", Some(&project.actual_start)),
        ("3", Some(planned_end)),
        ("4", project.actual_end.as_ref()),
    ];
    for (kind, date) in dates {
        elements.extend(date.map(|date| ActivityElement::ActivityDate(activity_date(kind, date))));
    }
    for (code, share) in &project.countries {
        elements.push(ActivityElement::RecipientCountry(RecipientCountry {
            code: Some((*code).to_owned()),
            percentage: Some(Decimal::new(share.to_string())),
            ..RecipientCountry::default()
        }));
    }
    elements.extend(
        project
            .place
            .map(|place| ActivityElement::Location(location(place, &project.countries))),
    );
    for (code, name, share) in portfolio.theme(project.position.programme).sectors {
        elements.push(ActivityElement::Sector(Sector {
            vocabulary: Some("1".to_owned()),
            code: Some((*code).to_owned()),
            percentage: Some(Decimal::new(share.to_string())),
            narratives: vec![Narrative::new(*name)],
            ..Sector::default()
        }));
    }
    elements.push(ActivityElement::DefaultFlowType(Coded::new("10")));
    elements.push(ActivityElement::DefaultFinanceType(Coded::new("110")));
    elements.extend(
        project
            .budgets
            .iter()
            .map(|budget| ActivityElement::Budget(budget_element(budget))),
    );
    elements.extend(
        project
            .payments
            .iter()
            .map(|payment| ActivityElement::Transaction(transaction(project, payment))),
    );
    let related = |kind: &str, number| {
        ActivityElement::RelatedActivity(RelatedActivity {
            reference: Some(portfolio.identifier(number)),
            kind: Some(kind.to_owned()),
            ..RelatedActivity::default()
        })
    };
    elements.extend(project.position.parent.map(|parent| related("1", parent)));
    elements.extend(
        portfolio
            .shape()
            .children(project.number)
            .map(|child| related("2", child)),
    );
    elements
}

fn reporting_org() -> ReportingOrg {
    let (reference, name, kind) = REPORTER;
    ReportingOrg {
        reference: Some(reference.to_owned()),
        kind: Some(kind.to_owned()),
        narratives: vec![Narrative::new(name)],
        ..ReportingOrg::default()
    }
}

fn participating_org(role: &str, (reference, name, kind): OrganisationFact) -> ParticipatingOrg {
    ParticipatingOrg {
        role: Some(role.to_owned()),
        reference: Some(reference.to_owned()),
        kind: Some(kind.to_owned()),
        narratives: vec![Narrative::new(name)],
        ..ParticipatingOrg::default()
    }
}

fn activity_date(kind: &str, date: &str) -> ActivityDate {
    ActivityDate {
        kind: Some(kind.to_owned()),
        date: Some(date.into()),
        ..ActivityDate::default()
    }
}

fn location(
    (name, latitude, longitude): (&str, &str, &str),
    countries: &[(&'static str, u32)],
) -> Location {
    Location {
        reach: Some(Coded::new("1")),
        name: Some(TextBlock::new(name)),
        administratives: countries
            .iter()
            .map(|(code, _share)| Administrative {
                code: Some((*code).to_owned()),
                // ISO 3166-1: countries by two letters.
                vocabulary: Some("A4".to_owned()),
                level: Some("1".into()),
                ..Administrative::default()
            })
            .collect(),
        point: Some(Point {
            srs_name: Some("http://www.opengis.net/def/crs/EPSG/0/4326".to_owned()),
            pos: Some(Plain::new(format!("{latitude} {longitude}"))),
            ..Point::default()
        }),
        exactness: Some(Coded::new("2")),
        ..Location::default()
    }
}

fn amount(euros: u32, date: &str) -> Amount {
    Amount {
        value_date: Some(date.into()),
        amount: Decimal::new(euros.to_string()),
        ..Amount::default()
    }
}

fn budget_element(budget: &Budget) -> BudgetElement {
    let first = format!("{}-01-01", budget.year);
    BudgetElement {
        kind: Some("1".to_owned()),
        status: Some("2".to_owned()),
        start: Some(Dated::new(first.as_str())),
        end: Some(Dated::new(format!("{}-12-31", budget.year).as_str())),
        value: Some(amount(budget.euros, &first)),
        ..BudgetElement::default()
    }
}

fn transaction(project: &Project, payment: &Payment) -> Transaction {
    let code = match payment.kind {
        PaymentKind::Incoming => "1",
        PaymentKind::Disbursement => "3",
        PaymentKind::Expenditure => "4",
    };
    let mut transaction = Transaction {
        kind: Some(Coded::new(code)),
        date: Some(Dated::new(payment.date.as_str())),
        value: Some(amount(payment.euros, &payment.date)),
        description: Some(TextBlock::new(payment.what)),
        ..Transaction::default()
    };
    let provider = |(reference, name, kind): OrganisationFact| Provider {
        reference: Some(reference.to_owned()),
        kind: Some(kind.to_owned()),
        narratives: vec![Narrative::new(name)],
        ..Provider::default()
    };
    let receiver = |(reference, name, kind): OrganisationFact| Receiver {
        reference: Some(reference.to_owned()),
        kind: Some(kind.to_owned()),
        narratives: vec![Narrative::new(name)],
        ..Receiver::default()
    };
    match payment.kind {
        PaymentKind::Incoming => {
            transaction.provider = Some(provider(project.funder));
            transaction.receiver = Some(receiver(REPORTER));
        }
        PaymentKind::Disbursement => {
            transaction.provider = Some(provider(REPORTER));
            transaction.receiver = Some(receiver(project.partner));
        }
        PaymentKind::Expenditure => transaction.provider = Some(provider(project.partner)),
    }
    transaction
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsr_iati::schema::check_fragment;

    #[test]
    fn every_element_of_a_portfolio_is_valid_and_in_order() {
        let portfolio = Portfolio::new(1, 60);
        for number in 0..60 {
            let elements = elements(&portfolio, &portfolio.project(number));
            assert!(
                elements
                    .windows(2)
                    .all(|pair| pair[0].kind() <= pair[1].kind())
            );
            for element in elements {
                let findings = check_fragment(element.kind().name(), &element.to_xml());
                assert!(findings.is_empty(), "{}: {findings:?}", element.to_xml());
            }
        }
    }
}

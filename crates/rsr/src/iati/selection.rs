//! Which activities a person wants.

use std::collections::BTreeSet;

use rsr_iati::model::{ActivityElement, ActivityHead, Day, Value as _};

/// What activities must be like. Each kind of condition holds where it is empty, or where one of its values does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// References of reporting organisations.
    pub(crate) reporting_orgs: BTreeSet<String>,
    /// Identifiers; none at all where the list is there and empty.
    pub(crate) identifiers: Option<BTreeSet<String>>,
    /// Codes of countries, in capitals.
    pub(crate) countries: BTreeSet<String>,
    /// Codes of regions.
    pub(crate) regions: BTreeSet<String>,
    /// Codes of sectors, with their vocabulary where only one will do.
    pub(crate) sectors: Vec<(Option<String>, String)>,
    /// Codes of statuses.
    pub(crate) statuses: BTreeSet<String>,
    /// Levels.
    pub(crate) hierarchies: BTreeSet<i32>,
    /// Not ended before.
    pub(crate) active_from: Option<Day>,
    /// Started by.
    pub(crate) active_to: Option<Day>,
    /// Last updated then or later.
    pub(crate) updated_since: Option<Day>,
    /// Everything else instead.
    pub(crate) is_inverted: bool,
}

/// What is known of one activity while its elements stream by.
#[derive(Debug)]
pub(crate) struct Candidate<'s> {
    selection: &'s Selection,
    level: i32,
    updated: Option<Day>,
    /// Which kinds of condition a value of the activity fulfils.
    fulfilled: [bool; KINDS],
    /// Planned start, actual start, planned end, actual end.
    dates: [Option<Day>; 4],
}

/// Kinds of condition that elements fulfil one by one.
#[derive(Clone, Copy, Debug)]
enum Kind {
    ReportingOrg,
    Identifier,
    Country,
    Region,
    Sector,
    Status,
}

const KINDS: usize = 6;

impl Selection {
    /// Begins to look at an activity.
    pub(crate) fn candidate(&self, head: &ActivityHead) -> Candidate<'_> {
        let level = head.hierarchy.as_ref().and_then(|level| level.value());
        let updated = head.last_updated.as_ref().and_then(|text| {
            let day = text.text().get(..10).unwrap_or_default();
            rsr_iati::model::Date::new(day).value()
        });
        Candidate {
            selection: self,
            level: level.unwrap_or(1),
            updated,
            fulfilled: [false; KINDS],
            dates: [None; 4],
        }
    }

    fn has_sector(&self, vocabulary: Option<&str>, code: Option<&str>) -> bool {
        let code = code.map(str::trim);
        // The standard's default: DAC's five digits.
        let vocabulary = vocabulary.map_or("1", str::trim);
        self.sectors.iter().any(|(of, wanted)| {
            code == Some(wanted) && of.as_deref().is_none_or(|of| of == vocabulary)
        })
    }

    fn has_country(&self, code: Option<&str>) -> bool {
        code.is_some_and(|code| self.countries.contains(&code.trim().to_ascii_uppercase()))
    }
}

fn holds(wanted: &BTreeSet<String>, text: Option<&str>) -> bool {
    text.is_some_and(|text| wanted.contains(text.trim()))
}

impl Candidate<'_> {
    /// Looks at one of its elements.
    pub(crate) fn note(&mut self, element: &ActivityElement) {
        let wanted = self.selection;
        match element {
            ActivityElement::Identifier(identifier) => {
                self.note_that(
                    Kind::Identifier,
                    wanted
                        .identifiers
                        .as_ref()
                        .is_some_and(|all| all.contains(identifier.identifier())),
                );
            }
            ActivityElement::ReportingOrg(org) => {
                self.note_that(
                    Kind::ReportingOrg,
                    holds(&wanted.reporting_orgs, org.reference.as_deref()),
                );
            }
            ActivityElement::ActivityStatus(status) => {
                self.note_that(
                    Kind::Status,
                    holds(&wanted.statuses, status.code.as_deref()),
                );
            }
            ActivityElement::ActivityDate(date) => {
                let nth = match date.kind.as_deref().map(str::trim) {
                    Some("1") => 0,
                    Some("2") => 1,
                    Some("3") => 2,
                    Some("4") => 3,
                    _ => return,
                };
                if let Some(slot @ None) = self.dates.get_mut(nth) {
                    *slot = date.date.as_ref().and_then(|day| day.value());
                }
            }
            ActivityElement::RecipientCountry(country) => {
                self.note_that(Kind::Country, wanted.has_country(country.code.as_deref()));
            }
            ActivityElement::RecipientRegion(region) => {
                self.note_that(Kind::Region, holds(&wanted.regions, region.code.as_deref()));
            }
            ActivityElement::Sector(sector) => {
                self.note_that(
                    Kind::Sector,
                    wanted.has_sector(sector.vocabulary.as_deref(), sector.code.as_deref()),
                );
            }
            ActivityElement::Transaction(transaction) => {
                let country = transaction.country.as_ref();
                self.note_that(
                    Kind::Country,
                    country.is_some_and(|country| wanted.has_country(country.code.as_deref())),
                );
                let region = transaction.region.as_ref();
                self.note_that(
                    Kind::Region,
                    region.is_some_and(|region| holds(&wanted.regions, region.code.as_deref())),
                );
                self.note_that(
                    Kind::Sector,
                    transaction.sectors.iter().any(|sector| {
                        wanted.has_sector(sector.vocabulary.as_deref(), sector.code.as_deref())
                    }),
                );
            }
            _ => {}
        }
    }

    fn note_that(&mut self, kind: Kind, is_fulfilled: bool) {
        if let Some(known) = self.fulfilled.get_mut(kind as usize) {
            *known |= is_fulfilled;
        }
    }

    fn has(&self, kind: Kind) -> bool {
        self.fulfilled.get(kind as usize).is_some_and(|is| *is)
    }

    /// Whether it is wanted, once all its elements were looked at.
    pub(crate) fn is_wanted(&self) -> bool {
        let wanted = self.selection;
        let [planned_start, actual_start, planned_end, actual_end] = self.dates;
        let (start, end) = (actual_start.or(planned_start), actual_end.or(planned_end));
        let fulfils = (wanted.reporting_orgs.is_empty() || self.has(Kind::ReportingOrg))
            && (wanted.identifiers.is_none() || self.has(Kind::Identifier))
            && (wanted.countries.is_empty() || self.has(Kind::Country))
            && (wanted.regions.is_empty() || self.has(Kind::Region))
            && (wanted.sectors.is_empty() || self.has(Kind::Sector))
            && (wanted.statuses.is_empty() || self.has(Kind::Status))
            && (wanted.hierarchies.is_empty() || wanted.hierarchies.contains(&self.level))
            && wanted
                .active_from
                .is_none_or(|from| end.is_none_or(|end| end >= from))
            && wanted
                .active_to
                .is_none_or(|to| start.is_some_and(|start| start <= to))
            && wanted
                .updated_since
                .is_none_or(|since| self.updated.is_some_and(|day| day >= since));
        fulfils != wanted.is_inverted
    }
}

#[cfg(test)]
mod tests {
    use rsr_iati::model::Date;
    use rsr_iati::reader::{ActivityReader, Event};

    use super::*;

    const ACTIVITY: &str = r#"<iati-activity hierarchy="2" last-updated-datetime="2024-05-06T07:08:09Z">
        <iati-identifier> XM-1 </iati-identifier><reporting-org ref="XM"/>
        <activity-status code="2"/><activity-date type="1" iso-date="2020-01-01"/>
        <activity-date type="2" iso-date="2020-03-01"/><activity-date type="3" iso-date="2022-12-31"/>
        <recipient-country code="ke"/><sector code="14030"/>
        <transaction><sector vocabulary="99" code="x"/><recipient-region code="289"/></transaction></iati-activity>"#;

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn day(text: &str) -> Option<Day> {
        Date::new(text).value()
    }

    #[track_caller]
    fn check(selection: Selection, expected: bool) {
        let file = format!("<iati-activities version='2.03'>{ACTIVITY}</iati-activities>");
        let mut reader = ActivityReader::new(file.as_bytes());
        let mut candidate = None;
        while let Some(event) = reader.next_event().unwrap() {
            match event {
                Event::ActivityStart(head, _) => candidate = Some(selection.candidate(&head)),
                Event::Element(element, _) => candidate.as_mut().unwrap().note(&element),
                _ => {}
            }
        }
        let wanted = candidate.unwrap().is_wanted();
        assert_eq!(wanted, expected, "{selection:?}");
    }

    #[test]
    fn conditions_of_one_kind_are_alternatives_and_all_kinds_must_hold() {
        let base = Selection::default;
        check(base(), true);
        let orgs = |refs| Selection {
            reporting_orgs: set(refs),
            ..base()
        };
        check(orgs(&["XM"]), true);
        check(orgs(&["YM", "XM"]), true);
        check(orgs(&["X"]), false);
        check(
            Selection {
                is_inverted: true,
                ..orgs(&["X"])
            },
            true,
        );
        check(
            Selection {
                identifiers: Some(set(&["XM-1"])),
                ..base()
            },
            true,
        );
        check(
            Selection {
                identifiers: Some(set(&[])),
                ..base()
            },
            false,
        );
        check(
            Selection {
                countries: set(&["KE"]),
                statuses: set(&["2"]),
                ..base()
            },
            true,
        );
        check(
            Selection {
                countries: set(&["KE"]),
                statuses: set(&["3"]),
                ..base()
            },
            false,
        );
        check(
            Selection {
                regions: set(&["289"]),
                ..base()
            },
            true,
        );
        check(
            Selection {
                hierarchies: [2].into(),
                ..base()
            },
            true,
        );
        check(
            Selection {
                hierarchies: [1].into(),
                ..base()
            },
            false,
        );
    }

    #[test]
    fn sectors_have_a_vocabulary() {
        let sector = |of: Option<&str>, code: &str| Selection {
            sectors: vec![(of.map(str::to_owned), code.to_owned())],
            ..Selection::default()
        };
        check(sector(None, "14030"), true);
        check(sector(Some("1"), "14030"), true);
        check(sector(Some("2"), "14030"), false);
        check(sector(Some("99"), "x"), true);
    }

    #[test]
    fn dates_are_those_that_came_true_where_they_did() {
        let base = Selection::default;
        check(
            Selection {
                active_from: day("2022-12-31"),
                ..base()
            },
            true,
        );
        check(
            Selection {
                active_from: day("2023-01-01"),
                ..base()
            },
            false,
        );
        check(
            Selection {
                active_to: day("2020-03-01"),
                ..base()
            },
            true,
        );
        check(
            Selection {
                active_to: day("2020-02-28"),
                ..base()
            },
            false,
        );
        check(
            Selection {
                updated_since: day("2024-05-06"),
                ..base()
            },
            true,
        );
        check(
            Selection {
                updated_since: day("2024-05-07"),
                ..base()
            },
            false,
        );
    }
}

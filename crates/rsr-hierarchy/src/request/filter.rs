//! What a client narrows the children to.

use rsr_base::OrganisationId;

use super::RequestError;

/// One condition. All conditions of a [`Filter`] must hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Condition {
    /// `title=`: the title contains this text, without regard to case.
    TitleContains(String),
    /// `status=published|unpublished`.
    Published(bool),
    /// `is_public=`.
    Public(bool),
    /// `is_program=`: a root with a program record.
    Program(bool),
    /// `country=`: a location in this country, an ISO code.
    Country(String),
    /// `recipient_country=`: a recipient country, an ISO code.
    RecipientCountry(String),
    /// `sector=`: a sector code.
    Sector(String),
    /// `organisation=`: the id of the primary organisation.
    PrimaryOrganisation(OrganisationId),
}

/// Most conditions in one filter.
pub const FILTER_MAX_CONDITIONS: usize = 20;
/// Most characters in the value of one condition.
pub const FILTER_VALUE_MAX_CHARS: usize = 200;

/// Conditions that must all hold. They narrow the elements and every count (rule 12); the empty filter lets all pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    conditions: Vec<Condition>,
}

impl Filter {
    /// The conditions, in the order they came.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether it lets everything pass.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Whether a filter has this name.
    #[must_use]
    pub fn knows(field: &str) -> bool {
        const FIELDS: [&str; 8] = [
            "title",
            "status",
            "is_public",
            "is_program",
            "country",
            "recipient_country",
            "sector",
            "organisation",
        ];
        FIELDS.contains(&field)
    }

    /// Adds a condition as a client writes it.
    ///
    /// # Errors
    ///
    /// [`RequestError::UnknownField`] where no filter has that name, [`RequestError::Malformed`] where the value does
    /// not fit, [`RequestError::TooManyConditions`] past [`FILTER_MAX_CONDITIONS`].
    pub fn add(&mut self, field: &str, value: &str) -> Result<(), RequestError> {
        let malformed = |accepted: &'static str| RequestError::Malformed {
            field: field.to_owned(),
            accepted,
        };
        let text = |accepted: &'static str| {
            let ok = !value.trim().is_empty() && value.chars().count() <= FILTER_VALUE_MAX_CHARS;
            if ok {
                Ok(value.trim().to_owned())
            } else {
                Err(malformed(accepted))
            }
        };
        let flag = || parse_flag(value).ok_or_else(|| malformed("true or false"));
        let condition = match field {
            "title" => Condition::TitleContains(text("a text of 1 to 200 characters")?),
            "status" => match value {
                "published" => Condition::Published(true),
                "unpublished" => Condition::Published(false),
                _ => return Err(malformed("published or unpublished")),
            },
            "is_public" => Condition::Public(flag()?),
            "is_program" => Condition::Program(flag()?),
            "country" => Condition::Country(text("a country code")?),
            "recipient_country" => Condition::RecipientCountry(text("a country code")?),
            "sector" => Condition::Sector(text("a sector code")?),
            "organisation" => Condition::PrimaryOrganisation(
                value.parse().map_err(|_not_a_number| malformed("an id"))?,
            ),
            _ => {
                return Err(RequestError::UnknownField {
                    field: field.to_owned(),
                });
            }
        };
        if self.conditions.len() == FILTER_MAX_CONDITIONS {
            return Err(RequestError::TooManyConditions);
        }
        self.conditions.push(condition);
        Ok(())
    }

    /// The same bytes for the same conditions in any order, so that a cursor can be bound to them.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        let mut parts: Vec<String> = self
            .conditions
            .iter()
            .map(|condition| format!("{condition:?}"))
            .collect();
        parts.sort_unstable();
        parts.dedup();
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

pub(super) fn parse_flag(text: &str) -> Option<bool> {
    const TRUE: [&str; 4] = ["true", "1", "yes", "on"];
    const FALSE: [&str; 4] = ["false", "0", "no", "off"];
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if TRUE.iter().any(is) {
        Some(true)
    } else if FALSE.iter().any(is) {
        Some(false)
    } else {
        None
    }
}

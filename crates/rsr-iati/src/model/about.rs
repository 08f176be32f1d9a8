//! Who, when and what kind: the elements that describe an activity as a whole.

use crate::model::children::Head;
use crate::model::element::element;
use crate::model::gaps::is_language;
use crate::model::shared::{Narrative, Plain, TextBlock};
use crate::model::value::{Date, DateTime, Decimal, Flag, Value as _, Whole};

element! {
    /// The attributes of `iati-activity`.
    ActivityHead {
        attributes {
            /// `@last-updated-datetime`.
            last_updated: DateTime = "last-updated-datetime",
            /// `@xml:lang`: the language of narratives that name none.
            language: String = "xml:lang" language,
            /// `@default-currency`: the currency of amounts that name none.
            default_currency: String = "default-currency",
            /// `@humanitarian`.
            humanitarian: Flag = "humanitarian",
            /// `@hierarchy`: a level, not a link.
            hierarchy: Whole = "hierarchy",
            /// `@linked-data-uri`.
            linked_data_uri: String = "linked-data-uri" uri,
            /// `@budget-not-provided`.
            budget_not_provided: String = "budget-not-provided",
        }
    }
}

impl Head for ActivityHead {
    fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    fn without_gaps(&self) -> (Self, u64) {
        let mut valid = self.clone();
        let mut n = 0;
        let mut keep = |is_valid: bool| {
            n += u64::from(!is_valid);
            is_valid
        };
        valid.last_updated = valid.last_updated.filter(|value| keep(value.is_valid()));
        valid.humanitarian = valid.humanitarian.filter(|value| keep(value.is_valid()));
        valid.hierarchy = valid.hierarchy.filter(|value| keep(value.is_valid()));
        valid.language = valid.language.filter(|value| keep(is_language(value)));
        (valid, n)
    }
}

element! {
    /// `iati-identifier`.
    Identifier {
        text {
            /// The identifier as written; [`identifier`](Self::identifier) is without white space around it.
            text: String
        }
    }
}

impl Identifier {
    /// An identifier.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// The identifier without white space around it. Empty where there is none.
    #[must_use]
    pub fn identifier(&self) -> &str {
        self.text.trim()
    }
}

element! {
    /// `reporting-org`.
    ReportingOrg {
        attributes {
            /// `@ref`.
            reference: String = "ref" required,
            /// `@type`.
            kind: String = "type" required,
            /// `@secondary-reporter`.
            secondary_reporter: Flag = "secondary-reporter",
        }
        children {
            /// Its name.
            narratives: Vec<Narrative> = "narrative" required,
        }
    }
}

element! {
    /// `description` of an activity; those elsewhere have no type.
    Description {
        attributes {
            /// `@type`.
            kind: String = "type",
        }
        children {
            /// The text, once for each language.
            narratives: Vec<Narrative> = "narrative" required,
        }
    }
}

element! {
    /// `participating-org`.
    ParticipatingOrg {
        attributes {
            /// `@ref`.
            reference: String = "ref",
            /// `@type`.
            kind: String = "type",
            /// `@role`: 1 funding, 2 accountable, 3 extending, 4 implementing.
            role: String = "role" required,
            /// `@activity-id`: the activity on that organisation's side.
            activity_id: String = "activity-id",
            /// `@crs-channel-code`.
            crs_channel_code: String = "crs-channel-code",
        }
        children {
            /// Its name.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `other-identifier`.
    OtherIdentifier {
        attributes {
            /// `@ref`: the identifier itself.
            reference: String = "ref" required,
            /// `@type`.
            kind: String = "type" required,
        }
        children {
            /// Whose it is.
            owner: Option<Organisation> = "owner-org",
        }
    }
}

element! {
    /// An organisation with nothing but reference and name: `owner-org`.
    Organisation {
        attributes {
            /// `@ref`.
            reference: String = "ref",
        }
        children {
            /// Its name.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `activity-date`.
    ActivityDate {
        attributes {
            /// `@type`: 1 planned start, 2 actual start, 3 planned end, 4 actual end.
            kind: String = "type" required,
            /// `@iso-date`.
            date: Date = "iso-date" required,
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `contact-info`.
    ContactInfo {
        attributes {
            /// `@type`.
            kind: String = "type",
        }
        children {
            /// The organisation.
            organisation: Option<TextBlock> = "organisation",
            /// The department.
            department: Option<TextBlock> = "department",
            /// The person.
            person_name: Option<TextBlock> = "person-name",
            /// The person's work.
            job_title: Option<TextBlock> = "job-title",
            /// Telephone numbers.
            telephones: Vec<Plain> = "telephone",
            /// Mail addresses.
            emails: Vec<Plain> = "email",
            /// Web sites.
            websites: Vec<Website> = "website",
            /// Postal addresses.
            mailing_addresses: Vec<TextBlock> = "mailing-address",
        }
    }
}

element! {
    /// `website`.
    Website {
        text {
            /// Its address.
            url: String = uri
        }
    }
}

element! {
    /// `recipient-country`.
    RecipientCountry {
        attributes {
            /// `@code`.
            code: String = "code" required,
            /// `@percentage`.
            percentage: Decimal = "percentage",
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `recipient-region`.
    RecipientRegion {
        attributes {
            /// `@code`.
            code: String = "code" required,
            /// `@vocabulary`.
            vocabulary: String = "vocabulary",
            /// `@vocabulary-uri`.
            vocabulary_uri: String = "vocabulary-uri" uri,
            /// `@percentage`.
            percentage: Decimal = "percentage",
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `sector`.
    Sector {
        attributes {
            /// `@vocabulary`.
            vocabulary: String = "vocabulary",
            /// `@vocabulary-uri`.
            vocabulary_uri: String = "vocabulary-uri" uri,
            /// `@code`.
            code: String = "code" required,
            /// `@percentage`.
            percentage: Decimal = "percentage",
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `tag`.
    Tag {
        attributes {
            /// `@code`.
            code: String = "code" required,
            /// `@vocabulary`.
            vocabulary: String = "vocabulary" required,
            /// `@vocabulary-uri`.
            vocabulary_uri: String = "vocabulary-uri" uri,
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `humanitarian-scope`.
    HumanitarianScope {
        attributes {
            /// `@type`: 1 emergency, 2 appeal.
            kind: String = "type" required,
            /// `@vocabulary`.
            vocabulary: String = "vocabulary" required,
            /// `@vocabulary-uri`.
            vocabulary_uri: String = "vocabulary-uri" uri,
            /// `@code`.
            code: String = "code" required,
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `policy-marker`.
    PolicyMarker {
        attributes {
            /// `@vocabulary`.
            vocabulary: String = "vocabulary",
            /// `@vocabulary-uri`.
            vocabulary_uri: String = "vocabulary-uri" uri,
            /// `@code`.
            code: String = "code" required,
            /// `@significance`.
            significance: String = "significance",
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `related-activity`.
    RelatedActivity closed {
        attributes {
            /// `@ref`: the other activity.
            reference: String = "ref" required,
            /// `@type`: what the other one is: 1 parent, 2 child, 3 sibling, 4 co-funded, 5 third party.
            kind: String = "type" required,
        }
    }
}

element! {
    /// `legacy-data`.
    LegacyData closed {
        attributes {
            /// `@name`.
            name: String = "name" required,
            /// `@value`.
            value: String = "value" required,
            /// `@iati-equivalent`.
            iati_equivalent: String = "iati-equivalent" token,
        }
    }
}

element! {
    /// `conditions`.
    Conditions {
        attributes {
            /// `@attached`.
            attached: Flag = "attached" required,
        }
        children {
            /// Each of them.
            conditions: Vec<Condition> = "condition",
        }
    }
}

element! {
    /// `condition`.
    Condition closed {
        attributes {
            /// `@type`.
            kind: String = "type" required,
        }
        children {
            /// What it says.
            narratives: Vec<Narrative> = "narrative" required,
        }
    }
}

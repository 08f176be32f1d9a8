//! The children of `iati-organisation`, one variant each, in the order of 2.03.

use crate::finding::Findings;
use crate::model::about::{Identifier, ReportingOrg};
use crate::model::children::{FragmentError, Head, STREAMED_BYTES, children_of};
use crate::model::element::{Element as _, element};
use crate::model::fragment::Fragment;
use crate::model::gaps::{Gap, GapKind, Gaps, is_language};
use crate::model::pull::{Input, Pull, Stop};
use crate::model::raw::{RawElement, is_extension};
use crate::model::shared::{Amount, Coded, Dated, Narrative, TextBlock};
use crate::model::value::{DateTime, Value as _};
use crate::xml::{Limits, Reader, Token};

element! {
    /// The attributes of `iati-organisation`.
    OrganisationHead {
        attributes {
            /// `@last-updated-datetime`.
            last_updated: DateTime = "last-updated-datetime",
            /// `@xml:lang`: the language of narratives that name none.
            language: String = "xml:lang" language,
            /// `@default-currency`: the currency of amounts that name none.
            default_currency: String = "default-currency",
        }
    }
}

impl Head for OrganisationHead {
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
        valid.language = valid.language.filter(|value| keep(is_language(value)));
        (valid, n)
    }
}

element! {
    /// `budget-line`, `expense-line`: a part of an amount.
    Line {
        attributes {
            /// `@ref`: what it is called in the organisation's own books.
            reference: String = "ref",
        }
        children {
            /// How much.
            value: Option<Amount> = "value" required,
            /// What for.
            narratives: Vec<Narrative> = "narrative" required,
        }
    }
}

element! {
    /// `recipient-org` of a budget.
    RecipientOrg closed {
        attributes {
            /// `@ref`.
            reference: String = "ref",
        }
        children {
            /// Its name.
            narratives: Vec<Narrative> = "narrative" required,
        }
    }
}

element! {
    /// `recipient-region` of a budget.
    BudgetRegion {
        attributes {
            /// `@vocabulary`.
            vocabulary: String = "vocabulary",
            /// `@vocabulary-uri`.
            vocabulary_uri: String = "vocabulary-uri" uri,
            /// `@code`.
            code: String = "code",
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `recipient-country` of a budget or a document.
    BudgetCountry {
        attributes {
            /// `@code`.
            code: String = "code" required,
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

/// Defines a budget by what it is for; all of them have a status, days, an amount and its parts.
macro_rules! budget {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$about:meta])* recipient: $Recipient:ident = $element:literal )? }
    ) => {
        element! {
            $(#[$meta])*
            $name {
                attributes {
                    /// `@status`: 1 indicative, 2 committed.
                    status: String = "status",
                }
                children {
                    $( $(#[$about])* recipient: Option<$Recipient> = $element required, )?
                    /// First day.
                    start: Option<Dated> = "period-start" required,
                    /// Last day.
                    end: Option<Dated> = "period-end" required,
                    /// How much.
                    value: Option<Amount> = "value" required,
                    /// Its parts.
                    lines: Vec<Line> = "budget-line",
                }
            }
        }
    };
}

budget! {
    /// `total-budget`: what the organisation plans to spend.
    TotalBudget {}
}

budget! {
    /// `recipient-org-budget`: what the organisation plans to give to another one.
    RecipientOrgBudget {
        /// Who gets it.
        recipient: RecipientOrg = "recipient-org"
    }
}

budget! {
    /// `recipient-region-budget`: what the organisation plans to spend in a region.
    RecipientRegionBudget {
        /// Where.
        recipient: BudgetRegion = "recipient-region"
    }
}

budget! {
    /// `recipient-country-budget`: what the organisation plans to spend in a country.
    RecipientCountryBudget {
        /// Where.
        recipient: BudgetCountry = "recipient-country"
    }
}

element! {
    /// `total-expenditure`: what the organisation has spent.
    TotalExpenditure {
        children {
            /// First day.
            start: Option<Dated> = "period-start" required,
            /// Last day.
            end: Option<Dated> = "period-end" required,
            /// How much.
            value: Option<Amount> = "value" required,
            /// Its parts.
            lines: Vec<Line> = "expense-line",
        }
    }
}

element! {
    /// `document-link` of an organisation, which may name countries.
    OrganisationDocument {
        attributes {
            /// `@url`.
            url: String = "url" required uri,
            /// `@format`: a media type.
            format: String = "format" required,
        }
        children {
            /// Its title.
            title: Option<TextBlock> = "title" required,
            /// What it is about.
            description: Option<TextBlock> = "description",
            /// What kind of document it is.
            categories: Vec<Coded> = "category" required,
            /// The languages it is in.
            languages: Vec<Coded> = "language",
            /// When it was published.
            date: Option<Dated> = "document-date",
            /// The countries it is about.
            countries: Vec<BudgetCountry> = "recipient-country",
        }
    }
}

children_of! {
    /// One child element of `iati-organisation`.
    enum OrganisationElement in "iati-organisation", "organisation", of OrganisationHead, "iati-organisations", Organisations;
    /// The kinds of [`OrganisationElement`] in the order of 2.03.
    kinds OrganisationElementKind;
    /// `organisation-identifier`.
    Identifier(Identifier) = "organisation-identifier" once required,
    /// `name`.
    Name(TextBlock) = "name" once required,
    /// `reporting-org`.
    ReportingOrg(ReportingOrg) = "reporting-org" once required,
    /// `total-budget`.
    TotalBudget(TotalBudget) = "total-budget" many optional,
    /// `recipient-org-budget`.
    RecipientOrgBudget(RecipientOrgBudget) = "recipient-org-budget" many optional,
    /// `recipient-region-budget`.
    RecipientRegionBudget(RecipientRegionBudget) = "recipient-region-budget" many optional,
    /// `recipient-country-budget`.
    RecipientCountryBudget(RecipientCountryBudget) = "recipient-country-budget" many optional,
    /// `total-expenditure`.
    TotalExpenditure(TotalExpenditure) = "total-expenditure" many optional,
    /// `document-link`.
    DocumentLink(OrganisationDocument) = "document-link" many optional,
}

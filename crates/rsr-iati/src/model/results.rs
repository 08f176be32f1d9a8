//! Results: indicators, their periods, baselines, targets and actuals.

use crate::model::element::element;
use crate::model::shared::{Dated, DocumentLink, TextBlock};
use crate::model::value::{Date, Flag, Year};

element! {
    /// `result`.
    ResultBlock {
        attributes {
            /// `@type`: 1 output, 2 outcome, 3 impact, 9 other.
            kind: String = "type" required,
            /// `@aggregation-status`.
            aggregation_status: Flag = "aggregation-status",
        }
        children {
            /// Its title.
            title: Option<TextBlock> = "title" required,
            /// What it is.
            description: Option<TextBlock> = "description",
            /// Documents about it.
            document_links: Vec<DocumentLink> = "document-link",
            /// Its place in a vocabulary of results.
            references: Vec<ResultReference> = "reference",
            /// What is measured.
            indicators: Vec<Indicator> = "indicator" required,
        }
    }
}

element! {
    /// `reference` of a result.
    ResultReference {
        attributes {
            /// `@vocabulary`.
            vocabulary: String = "vocabulary" required,
            /// `@code`.
            code: String = "code" required,
            /// `@vocabulary-uri`.
            vocabulary_uri: String = "vocabulary-uri" uri,
        }
    }
}

element! {
    /// `indicator`.
    Indicator {
        attributes {
            /// `@measure`: 1 unit, 2 percentage, 3 nominal, 4 ordinal, 5 qualitative.
            measure: String = "measure" required,
            /// `@ascending`: whether more is better.
            ascending: Flag = "ascending",
            /// `@aggregation-status`.
            aggregation_status: Flag = "aggregation-status",
        }
        children {
            /// Its title.
            title: Option<TextBlock> = "title" required,
            /// What it is.
            description: Option<TextBlock> = "description",
            /// Documents about it.
            document_links: Vec<DocumentLink> = "document-link",
            /// Its place in a vocabulary of indicators.
            references: Vec<IndicatorReference> = "reference",
            /// Where it began.
            baselines: Vec<Baseline> = "baseline",
            /// What was planned and reached when.
            periods: Vec<Period> = "period",
        }
    }
}

element! {
    /// `reference` of an indicator.
    IndicatorReference {
        attributes {
            /// `@vocabulary`.
            vocabulary: String = "vocabulary" required,
            /// `@code`.
            code: String = "code" required,
            /// `@indicator-uri`.
            indicator_uri: String = "indicator-uri" uri,
        }
    }
}

element! {
    /// `baseline`. Its documents come before its comment.
    Baseline {
        attributes {
            /// `@year`.
            year: Year = "year" required,
            /// `@iso-date`.
            date: Date = "iso-date",
            /// `@value`: a number where the measure is one, else any text.
            value: String = "value",
        }
        children {
            /// Where.
            locations: Vec<LocationRef> = "location",
            /// Which part of all.
            dimensions: Vec<Dimension> = "dimension",
            /// Documents about it.
            document_links: Vec<DocumentLink> = "document-link",
            /// What was said about it.
            comment: Option<TextBlock> = "comment",
        }
    }
}

element! {
    /// `period`.
    Period {
        children {
            /// First day.
            start: Option<Dated> = "period-start" required,
            /// Last day.
            end: Option<Dated> = "period-end" required,
            /// What was planned.
            targets: Vec<Measurement> = "target",
            /// What was reached.
            actuals: Vec<Measurement> = "actual",
        }
    }
}

element! {
    /// `target` or `actual`. Its comment comes before its documents.
    Measurement closed {
        attributes {
            /// `@value`: a number where the measure is one, else any text.
            value: String = "value",
        }
        children {
            /// Where.
            locations: Vec<LocationRef> = "location",
            /// Which part of all.
            dimensions: Vec<Dimension> = "dimension",
            /// What was said about it.
            comment: Option<TextBlock> = "comment",
            /// Documents about it.
            document_links: Vec<DocumentLink> = "document-link",
        }
    }
}

element! {
    /// `location` in a result: the `@ref` of one of the activity's locations.
    LocationRef {
        attributes {
            /// `@ref`.
            reference: String = "ref",
        }
    }
}

element! {
    /// `dimension`: one part of a disaggregation, such as sex = female.
    Dimension {
        attributes {
            /// `@name`.
            name: String = "name",
            /// `@value`.
            value: String = "value",
        }
    }
}

//! Structs that stand for several elements.

use crate::model::element::element;
use crate::model::value::{Date, Decimal};

element! {
    /// `narrative`: a text in one language.
    Narrative {
        attributes {
            /// `@xml:lang`, where it was given: else the activity's.
            language: String = "xml:lang" language,
        }
        text {
            /// The text as written.
            text: String
        }
    }
}

impl Narrative {
    /// A text in the activity's language.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A text in a language of its own.
    #[must_use]
    pub fn in_language(text: impl Into<String>, language: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            language: Some(language.into()),
            ..Self::default()
        }
    }
}

element! {
    /// An element that is a text in one or several languages: `title`, `comment`, `name`, most `description`s …
    TextBlock {
        children {
            /// The text, once for each language.
            narratives: Vec<Narrative> = "narrative" required,
        }
    }
}

impl TextBlock {
    /// A text in the activity's language.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            narratives: vec![Narrative::new(text)],
            ..Self::default()
        }
    }
}

element! {
    /// An element that is a code and nothing else: `activity-status`, `flow-type`, `category` …
    Coded {
        attributes {
            /// `@code`.
            code: String = "code" required,
        }
    }
}

impl Coded {
    /// The code.
    #[must_use]
    pub fn new(code: impl Into<String>) -> Self {
        Self {
            code: Some(code.into()),
            ..Self::default()
        }
    }
}

element! {
    /// An element that is a day and nothing else: `period-start`, `transaction-date`, `document-date` …
    Dated {
        attributes {
            /// `@iso-date`.
            date: Date = "iso-date" required,
        }
    }
}

impl Dated {
    /// The day.
    #[must_use]
    pub fn new(date: impl Into<Date>) -> Self {
        Self {
            date: Some(date.into()),
            ..Self::default()
        }
    }
}

element! {
    /// `value`: an amount of money.
    Amount {
        attributes {
            /// `@currency`, where it was given: else the activity's default.
            currency: String = "currency",
            /// `@value-date`: the day whose exchange rate counts.
            value_date: Date = "value-date" required,
        }
        text {
            /// The amount.
            amount: Decimal
        }
    }
}

element! {
    /// An element that is one number: `principal-outstanding` and its kin.
    Figure {
        text {
            /// The number.
            value: Decimal
        }
    }
}

element! {
    /// An element that is one plain text without languages: `telephone`, `email`, `pos`, `channel-code`.
    Plain {
        text {
            /// The text as written.
            text: String
        }
    }
}

impl Plain {
    /// The text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

element! {
    /// `aid-type`, `default-aid-type`.
    AidType {
        attributes {
            /// `@code`.
            code: String = "code" required,
            /// `@vocabulary`.
            vocabulary: String = "vocabulary",
        }
    }
}

element! {
    /// `document-link`: a document on the web. Those inside results hold nothing more.
    DocumentLink {
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
        }
    }
}

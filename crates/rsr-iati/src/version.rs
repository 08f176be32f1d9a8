//! The versions of the standard.

use std::fmt;

/// A version of the IATI standard. There is a schema for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the versions")]
pub enum Version {
    V101,
    V102,
    V103,
    V104,
    V105,
    V201,
    V202,
    V203,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Self; 8] = [
        Self::V101,
        Self::V102,
        Self::V103,
        Self::V104,
        Self::V105,
        Self::V201,
        Self::V202,
        Self::V203,
    ];

    /// As it is written in `@version`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V101 => "1.01",
            Self::V102 => "1.02",
            Self::V103 => "1.03",
            Self::V104 => "1.04",
            Self::V105 => "1.05",
            Self::V201 => "2.01",
            Self::V202 => "2.02",
            Self::V203 => "2.03",
        }
    }

    /// The version that an `@version` means. Files older than the attribute, and those that say 1.0, are read as 1.01.
    /// `None` for anything else that the standard has no version for.
    #[must_use]
    pub fn of_attribute(text: Option<&str>) -> Option<Self> {
        match text.map_or("", |text| text.trim_matches([' ', '\t', '\n', '\r'])) {
            "" | "1" | "1.0" | "1.00" => Some(Self::V101),
            text => Self::ALL
                .into_iter()
                .find(|version| version.as_str() == text),
        }
    }

    /// Whether texts stand in elements themselves and codes are words: everything before 2.01.
    #[must_use]
    pub fn is_old(self) -> bool {
        self < Self::V201
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

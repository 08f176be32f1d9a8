//! The versions of the standard.

use std::fmt;

/// A version of the IATI standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 1.01, and what says 1.0, 1.00 or nothing.
    V101,
    /// 1.02
    V102,
    /// 1.03
    V103,
    /// 1.04
    V104,
    /// 1.05
    V105,
    /// 2.01
    V201,
    /// 2.02
    V202,
    /// 2.03
    V203,
}

impl Version {
    /// The version of that name; `None` for a name nobody knows.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name.trim() {
            "" | "1" | "1.0" | "1.00" | "1.01" => Some(Self::V101),
            "1.02" => Some(Self::V102),
            "1.03" => Some(Self::V103),
            "1.04" => Some(Self::V104),
            "1.05" => Some(Self::V105),
            "2.01" => Some(Self::V201),
            "2.02" => Some(Self::V202),
            "2.03" => Some(Self::V203),
            _ => None,
        }
    }

    /// Its name, such as `2.03`.
    #[must_use]
    pub fn name(self) -> &'static str {
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

    /// Whether texts stand in elements themselves and codes are words: everything before 2.01.
    #[must_use]
    pub fn is_old(self) -> bool {
        self < Self::V201
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

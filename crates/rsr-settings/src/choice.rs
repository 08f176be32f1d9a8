//! Settings that take one of a few words.

use std::fmt;
use std::str::FromStr;

/// A word that is none of those a setting takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is none of {known}")]
#[non_exhaustive]
pub struct UnknownChoice {
    /// The word as it was given.
    pub text: String,
    /// The words there are, separated by commas.
    pub known: &'static str,
}

/// Declares an enum, its words, and that it is read in any case and written in lower case.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident, $known:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every choice, in the order of the reference page.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The words of [`Self::ALL`], separated by commas.
            pub const KNOWN: &'static str = $known;

            /// The word that stands for this choice in files, variables and flags.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownChoice;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .find(|choice| choice.as_str().eq_ignore_ascii_case(text.trim()))
                    .copied()
                    .ok_or_else(|| UnknownChoice { text: text.to_owned(), known: Self::KNOWN })
            }
        }
    )*};
}

choices! {
    /// A set of values for a kind of machine or purpose.
    ///
    /// `low-memory` and `high-memory` are `production` with other sizes: what they leave open has production's value.
    /// What `production`, `development` and `test` leave open has the default.
    Profile, "production, development, low-memory, high-memory, test" {
        /// A server that others rely on.
        Production = "production",
        /// A developer's own machine: checks more often, measures in more detail.
        Development = "development",
        /// A small machine.
        LowMemory = "low-memory",
        /// A machine with memory to spare.
        HighMemory = "high-memory",
        /// Limits so small that tests reach them.
        Test = "test",
    }

    /// How a PostgreSQL connection is encrypted. SQLite has none.
    DatabaseTls, "disable, prefer, require, verify-ca, verify-full" {
        /// Not at all.
        Disable = "disable",
        /// Encrypted where the server can, whoever answers.
        Prefer = "prefer",
        /// Encrypted, whoever answers.
        Require = "require",
        /// Encrypted, and an authority that is trusted has signed the server's certificate.
        VerifyCa = "verify-ca",
        /// Encrypted, and the certificate is also the one of the host that was asked for.
        VerifyFull = "verify-full",
    }

    /// How a mail server is talked to.
    MailTls, "disable, starttls, tls" {
        /// In plain text.
        Disable = "disable",
        /// In plain text until both sides agree to encrypt; refused where the server cannot.
        StartTls = "starttls",
        /// Encrypted from the first byte.
        Tls = "tls",
    }

    /// What a log line looks like.
    LogFormat, "text, json" {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_listed_and_read_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.as_str().to_uppercase().parse(), Ok(*profile));
        }
        let words: Vec<_> = Profile::ALL.iter().map(|choice| choice.as_str()).collect();
        assert_eq!(words.join(", "), Profile::KNOWN);
        let words: Vec<_> = MailTls::ALL.iter().map(|choice| choice.as_str()).collect();
        assert_eq!(words.join(", "), MailTls::KNOWN);
        let words: Vec<_> = DatabaseTls::ALL
            .iter()
            .map(|choice| choice.as_str())
            .collect();
        assert_eq!(words.join(", "), DatabaseTls::KNOWN);
        let words: Vec<_> = LogFormat::ALL
            .iter()
            .map(|choice| choice.as_str())
            .collect();
        assert_eq!(words.join(", "), LogFormat::KNOWN);
    }

    #[test]
    fn another_word_is_refused_with_those_there_are() {
        assert_eq!(
            "prod".parse::<Profile>().unwrap_err().to_string(),
            r#""prod" is none of production, development, low-memory, high-memory, test"#
        );
    }
}

//! The standard's rules about what an activity holds: dates in order, percentages that add up, one or all.
//!
//! A [`Ruleset`] is read from JSON in the form of the standard's `standard.json`, whose 107 cases are compiled in
//! ([`Ruleset::standard`], refreshed by `cargo xtask iati-rules FILE`). A [`Checker`] asks them while a file is read: of
//! each element that rules are about it keeps the few attributes and texts that its cases look at, and lets them go when
//! the element ends.
//!
//! ```
//! use rsr_iati::rules::Ruleset;
//!
//! let set = Ruleset::from_json(r#"{"//iati-activity": {"atleast_one": {"cases": [{"paths": ["sector"]}]}}}"#)?;
//! assert_eq!(set.n_cases(), 1);
//! assert_eq!(Ruleset::standard().n_cases(), 107);
//! # Ok::<(), rsr_iati::rules::RulesetError>(())
//! ```
//!
//! An expression that selects nothing counts as false, as XPath says. The official validator takes it for true where
//! the whole of an `if` or `then` is a path, and so never reports rule 3.7.1, and reports a missing value twice.
//! **Source:** IATI-Rulesets, version 2.03: `standard.json` and its tests.

mod capture;
mod case;
mod checker;
mod date;
mod eval;
mod json;
mod pattern;
mod ruleset;
#[rustfmt::skip]
mod standard;
#[cfg(test)]
mod tests;
mod tree;
mod want;
mod words;
mod xpath;

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::SystemTime;

use rsr_base::Clock as _;

pub use checker::Checker;
pub use ruleset::{Ruleset, RulesetError};

static STANDARD: LazyLock<Ruleset> =
    LazyLock::new(|| Ruleset::from_json(standard::RULES).expect("the rules compiled in are rules"));

impl Ruleset {
    /// The standard's own ruleset.
    #[must_use]
    pub fn standard() -> &'static Self {
        &STANDARD
    }
}

/// What rules are held against besides the file, and how much they may keep.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Context {
    /// The moment that "the future" begins at. By default that of making this.
    pub now: SystemTime,
    /// Identifiers of known organisations; rules about the form of identifiers are not asked of these.
    pub organisations: BTreeSet<String>,
    /// Prefixes of agencies that register organisations, such as "GB-CHC". Where there are none, the rules about them
    /// are not asked.
    pub agencies: BTreeSet<String>,
    /// Bytes that may be kept of one activity. Of a larger one the rules are not asked, which is a finding. 16 MiB.
    pub kept_bytes_max: usize,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            now: rsr_base::SystemClock::new().wall(),
            organisations: BTreeSet::new(),
            agencies: BTreeSet::new(),
            kept_bytes_max: 16 << 20,
        }
    }
}

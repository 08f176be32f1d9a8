//! One typed tree of settings: every limit, path and switch of the product, with where each value came from.
//!
//! In go the sources, weakest first: built-in defaults, a profile, a TOML file, `RSR_*` variables, command-line flags.
//! Out comes one [`Settings`] tree of plain values, checked as a whole, or *all* that is wrong with it at once. Each
//! part of the product is handed its own section by value and never sees the tree.
//!
//! Everything known of a setting — variable, key, type, default, profiles, bounds, meaning, whether it may change while
//! the service runs — stands once, in the declaration of its section. Loading, checking, [`Loaded::entries`] and the
//! reference page ([`reference()`]) are made from it.
//!
//! ```
//! use std::time::Duration;
//! use rsr_settings::{Inputs, load};
//!
//! let inputs = Inputs::from_environment([("RSR_PROFILE", "low-memory"), ("RSR_CACHE_TTL", "30m")]);
//! let loaded = load(&inputs)?;
//!
//! assert_eq!(loaded.settings.cache.ttl, Duration::from_secs(1800));
//! assert_eq!(loaded.settings.cache.max_size, 200);
//! assert_eq!(loaded.source("cache.ttl").to_string(), "RSR_CACHE_TTL");
//! assert_eq!(loaded.source("cache.max_size").to_string(), "profile low-memory");
//! # Ok::<(), rsr_settings::Invalid>(())
//! ```
//!
//! # Limits
//!
//! | bound | value | setting |
//! |---|---|---|
//! | bytes of a settings file | 1 MiB | none |
//! | each number | see [`reference()`] | its own |
//!
//! # What it does not do
//!
//! It does not watch files, open what a path or an address names, or read the environment behind the caller's back:
//! [`environment()`] is the one function that looks at it, and its result is a parameter of everything else.
#![forbid(unsafe_code)]

mod choice;
mod kind;
mod live;
mod load;
mod reference;
mod secret;
mod table;
mod tree;

pub use choice::{DatabaseTls, LogFormat, MailTls, Profile, UnknownChoice};
pub use live::{Change, LiveSettings, Reload, SetError};
pub use load::{Entry, Inputs, Invalid, Loaded, Problem, Source, Warning, environment, load};
pub use reference::reference;
pub use secret::{DatabaseUrl, ParseDatabaseUrlError, Secret};
pub use tree::{
    AggregationSettings, CacheSettings, DatabaseSettings, DeletionSettings, HierarchySettings,
    IatiSettings, LeaksSettings, LogSettings, MailSettings, MemorySettings, MonitoringSettings,
    OtlpSettings, ProfilingSettings, ServerSettings, Settings,
};

/// The page of the package, so that its examples are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

//! What the expansion of `cached` calls. Not for other use.

use std::any::Any;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use crate::backend::{Key, Value};
use crate::builder::CacheBuilder;
use crate::cache::{Cache, LoadError};

/// The place of one function's cache, whose key type only the compiler can name.
#[derive(Debug, Default)]
pub struct Slot {
    cache: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Slot {
    /// An empty place.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cache: OnceLock::new(),
        }
    }

    /// The cache, made at the first call. The key function is not called: it tells the type of the key.
    ///
    /// # Panics
    ///
    /// Not in code that the macro wrote: one place is asked for one type.
    pub fn cache<A, K: Key, V: Value>(
        &'static self,
        _key: fn(A) -> K,
        build: fn() -> CacheBuilder<K, V>,
    ) -> &'static Cache<K, V> {
        let make = || -> Box<dyn Any + Send + Sync> {
            let cache = build().build();
            Box::new(cache.expect("the macro offers nothing that excludes each other"))
        };
        let cache = self.cache.get_or_init(make);
        cache
            .downcast_ref()
            .expect("a place belongs to one function, and so to one type")
    }
}

/// The value type of a `Result`.
pub trait Fallible {
    /// What it is where it is `Ok`.
    type Value;
}

impl<T, E> Fallible for Result<T, E> {
    type Value = T;
}

/// Says, at the place of an argument, that it must be fit for a key.
pub fn part<T: Key>(part: T) -> T {
    part
}

/// The error of a function whose errors are not cached.
///
/// # Panics
///
/// Where there is none because the function panicked or called itself with the same arguments.
#[must_use]
pub fn error_of<E: Clone>(error: LoadError<E>) -> E {
    match error {
        LoadError::Failed(error) => Arc::unwrap_or_clone(error),
        other => give_up(&other),
    }
}

/// The value of a function that cannot fail.
///
/// # Panics
///
/// Where there is none because the function panicked or called itself with the same arguments.
pub fn value_of<V>(loaded: Result<V, LoadError<Infallible>>) -> V {
    loaded.unwrap_or_else(|error| give_up(&error))
}

#[expect(
    clippy::panic,
    reason = "the function promises a value, and panicked or waits for itself"
)]
fn give_up<E>(error: &LoadError<E>) -> ! {
    panic!("a cached function has no value: {error}")
}

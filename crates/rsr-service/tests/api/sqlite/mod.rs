//! The suites over SQLite files.

mod engine {
    use crate::support::{Waiting, World};

    pub(crate) fn world(variables: &[(&str, &str)]) -> Waiting {
        Waiting::new(World::with(variables))
    }
}

#[path = "../hierarchy.rs"]
mod hierarchy;

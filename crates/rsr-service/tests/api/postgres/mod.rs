//! The suites over a PostgreSQL server of the tests' own.

mod engine {
    use crate::support::{Waiting, World};

    pub(crate) fn world(variables: &[(&str, &str)]) -> Waiting {
        Waiting::new(World::over_postgres(variables))
    }
}

#[path = "../hierarchy.rs"]
mod hierarchy;

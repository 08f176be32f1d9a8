//! The suite over a PostgreSQL server of the tests' own.

mod behind;
mod copy;
mod distribution;
mod faults;
mod files;
mod machines;
mod migrations;
mod questions;
mod roots;
mod server;
mod tls;
mod support {
    pub(crate) use crate::support::{iati_data, real_files};

    pub(crate) type TestStore = crate::support::TestStore<crate::support::Postgres>;
    pub(crate) type TestDatabase = crate::support::TestDatabase<crate::support::Postgres>;
}

#[path = "../access.rs"]
mod access;
#[path = "../audit.rs"]
mod audit;
#[path = "../budgets.rs"]
mod budgets;
#[path = "../chunks.rs"]
mod chunks;
#[path = "../climbs.rs"]
mod climbs;
#[path = "../database.rs"]
mod database;
#[path = "../elements.rs"]
mod elements;
#[path = "../example.rs"]
mod example;
#[path = "../examples.rs"]
mod examples;
#[path = "../export.rs"]
mod export;
#[path = "../hierarchy.rs"]
mod hierarchy;
#[path = "../import.rs"]
mod import;
#[path = "../laws.rs"]
mod laws;
#[path = "../outbox.rs"]
mod outbox;
#[path = "../positions.rs"]
mod positions;
#[path = "../queue.rs"]
mod queue;
#[path = "../recalculation.rs"]
mod recalculation;
#[path = "../reimport.rs"]
mod reimport;
#[path = "../results.rs"]
mod results;
#[path = "../rollup.rs"]
mod rollup;
#[path = "../triggers.rs"]
mod triggers;

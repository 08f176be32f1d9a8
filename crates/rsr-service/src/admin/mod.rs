//! The administration of a running service: its routes, and the socket they are on.

mod caches;
mod deletions;
mod findings;
mod iati;
mod memory;
mod profiles;
mod report;
mod socket;

use crate::routes::table::Route;

pub(crate) use memory::{figures, leaks};
pub(crate) use socket::AdminSocket;
pub use socket::SocketError;

/// The routes of the admin socket and the admin listener alone.
pub(crate) fn routes() -> Vec<Route> {
    [
        caches::routes(),
        deletions::routes(),
        iati::routes(),
        memory::routes(),
        findings::routes(),
        profiles::routes(),
        report::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

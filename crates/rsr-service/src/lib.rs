//! The HTTP service of rsr: the API, the admin socket, metrics, the dashboard, and the wiring of all crates below.
//!
//! ```text
//!                    ┌ request id, trace ┬ memory, metrics ┬ bounds, access, time ┬ handler
//!  TCP listener ─────┤                   │                 │                      │   │ short work ──▶ few threads
//!  admin socket ─────┘                   │                 │                      │   │ stream ─────▶ few threads ══▶ body
//!                                        ▼                 ▼                      ▼   ▼
//!                              problem JSON, headers     503 before memory       store: one snapshot a request
//! ```
//!
//! In go settings and an open store; [`serve`] runs until it is told to stop. Between the store's blocking threads and a reader
//! there are never more than a few buffers, so a slow reader slows its own query and nothing else.
#![forbid(unsafe_code)]

mod access;
mod admin;
mod app;
mod bounds;
mod bridge;
mod caches;
pub mod client;
mod dashboard;
mod drain;
mod gate;
mod health;
mod measure;
mod metrics;
mod openapi;
mod params;
mod problem;
mod progress;
mod routes;
mod serve;
mod server;
mod trace;
mod watch;
mod wire;

pub use admin::SocketError;
pub use serve::{Addresses, ServeError, Service, open_store, serve};

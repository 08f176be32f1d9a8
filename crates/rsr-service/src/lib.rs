//! The HTTP service of rsr: the API, administration, metrics, the dashboard, and the wiring of all crates below.
//!
//! ```text
//!                 ┌ request id, trace ┬ memory of the request ┬ bounds, access, time ┬ handler
//!  TCP ───────────┤                   │                       │                      │  │ run ─────▶ thread ─▶ value
//!  admin socket ──┘                   │                       │                      │  │ answer ──▶ thread ─▶ one piece, or
//!                                     ▼                       ▼                      ▼  │ stream ──▶ thread ══▶ body ─▶ reader
//!                        problem JSON with the id     headers, histograms     503 before memory      (two buffers at most)
//! ```
//!
//! In go live settings and an open store; [`serve`] runs until it is told to stop, and [`Service::router`] answers in
//! memory. One table of routes makes the router, the guard in front of each route and the OpenAPI description. Between a
//! thread that reads one snapshot of the store and its reader there are never more than two buffers, so a slow reader
//! slows its own query and nothing else; one that hangs up ends it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::body::Body;
//! use http::{Request, StatusCode};
//! use rsr_service::{Service, open_store};
//! use rsr_settings::{Inputs, LiveSettings, load};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let database = format!("sqlite://{}", folder.path().join("rsr.db").display());
//! let inputs = Inputs::from_environment([("RSR_DATABASE_URL", database.as_str())]);
//! let settings = Arc::new(LiveSettings::new(load(&inputs)?));
//! let clock = rsr_base::system_clock();
//! let store = open_store(&settings.current(), clock.clone())?;
//!
//! let service = Service::new(settings, store, clock);
//! let children = Request::get("/api/v1/projects/7/children/?limit=0").body(Body::empty())?;
//! let answer = service.router().oneshot(children).await?;
//! assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "and the problem names the field: limit");
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! | bound | default | setting |
//! |---|---|---|
//! | bytes of a request's body | 1 MiB | `server.max_body_bytes` |
//! | bytes of its line and headers | 16 KiB, 100 headers | `server.max_header_bytes` |
//! | time for its headers; time until the answer's head | 10 s; 30 s | `server.header_timeout`, `server.request_timeout` |
//! | spans that wait for the collector (feature `otlp`) | 2,048; more are dropped | fixed |
//! | requests under way | 256 | `server.max_requests` |
//! | connections: of one address; of all | 64; four times `max_requests` | `server.max_requests_per_client` |
//! | threads for short work; requests that wait for one | 8; 256 | `database.pool_size`, `server.max_requests` |
//! | threads for health and administration; for what guards the service | 2; 1 | – |
//! | streams, each with a thread and a connection to the database | 8 | `server.max_streams` |
//! | bytes of an answer in one piece; of a stream's buffer | 128 KiB; 32 KiB, two at once | – |
//! | time in which a reader takes nothing | 60 s | `server.stream_timeout` |
//! | elements of a list; rows read at a time | 1000; 500 | `hierarchy.max_descendants_per_request`, `hierarchy.chunk_size` |
//! | entries of each of three caches; an entry's bytes | 1000; 256 KiB | `cache.max_size` |
//! | bytes that all work together may reserve | the limit less 10 % | `memory.limit`, `memory.reserve` |
//! | bytes one request may hold, compared at each buffer of its answer | 64 MiB | `memory.request_budget` |
//! | time for requests under way when it stops | 10 s | `server.grace_time` |
//!
//! # What it does not do
//!
//! It speaks HTTP/1.1 and no TLS: put a proxy in front of it. It computes nothing of its own: what a number means is the
//! crates' below.
#![forbid(unsafe_code)]

mod access;
mod admin;
mod app;
mod bounds;
mod bridge;
mod budget;
mod caches;
pub mod client;
mod dashboard;
mod drain;
mod findings;
mod follow;
mod gate;
mod health;
mod journal;
mod mail;
mod measure;
mod metrics;
pub mod naming;
mod openapi;
mod params;
mod problem;
mod profiles;
mod progress;
mod provisioning;
mod reference;
mod rights;
mod rollup;
mod routes;
mod serve;
mod server;
mod target;
mod telemetry;
mod timeline;
mod trace;
mod watch;
mod wire;

pub use admin::SocketError;
pub use budget::process_budget;
pub use mail::{MailError, MailReport, send_waiting_mail};
pub use provisioning::{
    ProvisionedFile, ProvisionedQuery, QueryError, alert_cases, provisioned_queries, provisioning,
};
pub use reference::{api_reference, metrics_reference};
pub use serve::{Addresses, ServeError, Service, open_store, serve, work};

//! Listening, connections and stopping.
//!
//! A connection is one task with one request at a time (HTTP/1.1). It ends when its client is too slow to send a head,
//! stops taking bytes, or is asked to go because the service stops.

mod accept;
mod refusal;
mod stall;

pub(crate) use accept::{Listening, Peer, accept_loop};

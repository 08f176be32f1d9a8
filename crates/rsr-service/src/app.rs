//! What all handlers share.

use std::sync::Arc;

use rsr_base::SharedClock;
use rsr_hierarchy::{CursorKey, Limits};
use rsr_settings::{LiveSettings, Settings};
use rsr_store::Store;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::access::Token;
use crate::bounds::Bounds;
use crate::bridge::Bridge;
use crate::drain::Drain;
use crate::measure::Measure;

/// One running service. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Parts>);

/// The parts of a running service.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) live: Arc<LiveSettings>,
    pub(crate) store: Store,
    pub(crate) clock: SharedClock,
    pub(crate) bounds: Bounds,
    pub(crate) drain: Drain,
    pub(crate) bridge: Bridge,
    pub(crate) cursor_key: CursorKey,
    pub(crate) token: Option<Token>,
    /// Whether the public listener is bound to loopback alone, where writes need no token.
    pub(crate) is_loopback: bool,
    /// One permit a request under way.
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) measure: Measure,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    pub(crate) fn new(live: Arc<LiveSettings>, store: Store, clock: SharedClock) -> Self {
        let settings = live.current();
        let bounds = Bounds::of(&settings);
        let drain = Drain::new();
        let token = settings.server.api_token.as_ref();
        Self(Arc::new(Parts {
            bridge: Bridge::new(&bounds, drain.clone()),
            in_flight: Arc::new(Semaphore::new(bounds.requests_max)),
            bounds,
            drain,
            cursor_key: new_cursor_key(),
            token: token.map(|token| Token::new(token.expose())),
            is_loopback: settings.server.listen.ip().is_loopback(),
            measure: Measure::new(Arc::clone(&live), &store, Arc::clone(&clock)),
            live,
            store,
            clock,
        }))
    }

    /// The settings at this moment.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.live.current()
    }

    /// The bounds of one answer about the hierarchy, as the settings are now.
    pub(crate) fn limits(&self) -> Limits {
        let hierarchy = &self.settings().hierarchy;
        Limits::new(hierarchy.max_descendants_per_request, hierarchy.chunk_size)
    }

    /// Why no request should be sent here now; empty where all is well.
    pub(crate) fn reasons_not_ready(&self) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        if !self.drain.is_serving() {
            reasons.push("the service is stopping");
        }
        reasons
    }
}

/// A key nobody can guess, of 244 random bits.
fn new_cursor_key() -> CursorKey {
    let mut hash = Sha256::new();
    hash.update(Uuid::new_v4().as_bytes());
    hash.update(Uuid::new_v4().as_bytes());
    CursorKey::new(hash.finalize().into())
}

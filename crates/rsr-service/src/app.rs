//! What all handlers share.

use std::net::SocketAddr;
use std::sync::Arc;

use rsr_base::SharedClock;
use tokio::sync::Semaphore;

use crate::access::Token;
use crate::bounds::Bounds;
use crate::bridge::Bridge;
use crate::drain::Drain;

/// One running service. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Parts>);

/// The parts of a running service.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) bounds: Bounds,
    pub(crate) drain: Drain,
    pub(crate) bridge: Bridge,
    pub(crate) clock: SharedClock,
    pub(crate) token: Option<Token>,
    /// Where the public listener is bound: on loopback, writes need no token.
    pub(crate) listen: SocketAddr,
    /// One permit a request under way.
    pub(crate) in_flight: Arc<Semaphore>,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    pub(crate) fn new(
        bounds: Bounds,
        listen: SocketAddr,
        token: Option<Token>,
        clock: SharedClock,
    ) -> Self {
        let drain = Drain::new();
        Self(Arc::new(Parts {
            bridge: Bridge::new(&bounds, drain.clone()),
            in_flight: Arc::new(Semaphore::new(bounds.requests_max)),
            bounds,
            drain,
            clock,
            token,
            listen,
        }))
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

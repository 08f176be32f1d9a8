//! From settings to a running service, and to its orderly end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use rsr_base::SharedClock;
use rsr_settings::{LiveSettings, Settings};
use rsr_store::{Following, Store};
use tokio::net::TcpListener;

use crate::admin::{AdminSocket, SocketError};
use crate::app::App;
use crate::drain::Phase;
use crate::naming::Namer;
use crate::server::{Listening, accept_loop};
use crate::{follow, mail, rollup, routes, telemetry, watch};

/// Opens the database these settings name, with connections for the service's readers, streams and workers.
///
/// # Errors
///
/// As [`Store::open`].
pub fn open_store(settings: &Settings, clock: SharedClock) -> Result<Store, rsr_store::Error> {
    let mut options = settings.database.clone();
    options.pool_size = options
        .pool_size
        .saturating_add(settings.server.max_streams)
        .saturating_add(settings.aggregation.workers);
    Store::open(&options, clock)
}

/// A service that can be asked in memory, or listen.
#[derive(Clone, Debug)]
pub struct Service {
    app: App,
    /// Hears the other machines until the last clone goes.
    following: Arc<Option<Following>>,
}

impl Service {
    /// A service over this store. Clones share it.
    #[must_use]
    pub fn new(settings: Arc<LiveSettings>, store: Store, clock: SharedClock) -> Self {
        let app = App::new(settings, store, clock);
        Self {
            following: Arc::new(follow::follow(&app)),
            app,
        }
    }

    /// Has this program, an `rsr`, name call stacks in processes of its own, which keeps the tens of MB that takes out
    /// of this one.
    #[must_use]
    pub fn naming_with(self, program: PathBuf) -> Self {
        self.app.findings.set_namer(Namer::program(program));
        self
    }

    /// The routes of the public listener.
    pub fn router(&self) -> Router {
        routes::public(&self.app)
    }

    /// Does what is due in the background by the service's clock, the waiting aggregations and mails too, as [`serve`] does by itself. For services that are
    /// asked in memory.
    pub fn beat(&self) {
        watch::Duties::begin(&self.app).beat(&self.app);
        rollup::run_waiting(&self.app);
        mail::send(&self.app);
    }

    /// The routes of the admin socket. Over any other connection each request needs the token.
    pub fn admin_router(&self) -> Router {
        routes::admin(&self.app)
    }
}

/// Where a running service is reached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Addresses {
    /// The public listener, with the port that was really taken.
    pub http: SocketAddr,
    /// The admin socket.
    pub admin_socket: PathBuf,
    /// The second admin listener, where the settings name one.
    pub admin_http: Option<SocketAddr>,
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address from the settings.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Writes, or the administration, would be open to the network.
    #[error("listening on {address} needs a token: set RSR_API_TOKEN")]
    NeedsToken {
        /// The address from the settings.
        address: SocketAddr,
    },
    /// There is no admin socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Serves until `stop` resolves, then ends in order: not ready any more, a grace time in which requests under way end and
/// listeners stay open, then no new connection, streams cut where they can be resumed. Where nobody is connected, it ends
/// after a second in which nobody comes.
///
/// `ready` is called once, when all listeners are bound.
///
/// # Errors
///
/// [`ServeError`], before anything is served. Once it serves, only `stop` ends it.
pub async fn serve(
    service: Service,
    ready: impl FnOnce(&Addresses),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let Service {
        app,
        following: _following,
    } = service;
    let settings = app.settings();
    let server = &settings.server;
    if server.api_token.is_none() {
        let needs_token = server
            .admin_listen
            .or_else(|| Some(server.listen).filter(|address| !address.ip().is_loopback()));
        if let Some(address) = needs_token {
            return Err(ServeError::NeedsToken { address });
        }
    }
    let (socket, admin_listener) = AdminSocket::bind(&server.admin_socket)?;
    let (listener, http) = listen(server.listen).await?;
    let second = match server.admin_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let addresses = Addresses {
        http,
        admin_socket: socket.path().to_owned(),
        admin_http: second.as_ref().map(|(_, address)| *address),
    };

    let accept =
        |listening, router| accept_loop(listening, router, app.bounds.clone(), app.drain.clone());
    let public = accept(Listening::Tcp(listener), routes::public(&app));
    let admin = accept(
        Listening::Unix {
            listener: admin_listener,
            owner_uid: socket.owner_uid(),
        },
        routes::admin(&app),
    );
    let second = async {
        if let Some((listener, _)) = second {
            accept(Listening::Tcp(listener), routes::admin(&app)).await;
        }
    };
    let watching = watch::keep(app.clone());
    let working = rollup::keep(app.clone());
    let mailing = mail::keep(app.clone());
    let telling = telemetry::keep(app.clone());
    let serving =
        async { tokio::join!(public, admin, second, watching, working, mailing, telling) };
    let stopping = async {
        stop.await;
        let grace = app.settings().server.grace_time;
        tracing::info!(?grace, "stopping: requests under way may end");
        app.drain.advance(Phase::Draining);
        tokio::time::sleep(grace).await;
        app.drain.advance(Phase::Cutting);
        std::future::pending::<()>().await;
    };
    ready(&addresses);
    tokio::select! {
        ((), (), (), (), (), (), ()) = serving => {}
        () = stopping => {}
    }
    app.journal.clear();
    tracing::info!("stopped");
    Ok(())
}

/// Works the aggregation queue off, and sends mail, without listening, until `stop` resolves. What a worker has begun is
/// ended first.
pub async fn work(service: Service, stop: impl Future<Output = ()>) {
    let app = service.app;
    let stopping = async {
        stop.await;
        tracing::info!("stopping: what is under way ends first");
        app.drain.advance(Phase::Draining);
    };
    tokio::join!(
        watch::keep(app.clone()),
        rollup::keep(app.clone()),
        mail::keep(app.clone()),
        stopping
    );
    tracing::info!("stopped");
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

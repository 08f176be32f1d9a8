//! From settings to a running service, and to its orderly end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use rsr_base::SharedClock;
use tokio::net::TcpListener;

use crate::access::Token;
use crate::admin::{AdminSocket, SocketError};
use crate::app::App;
use crate::bounds::Bounds;
use crate::drain::Phase;
use crate::routes;
use crate::server::{Listening, accept_loop};

/// What a service is started with.
#[derive(Debug)]
pub struct Setup {
    listen: SocketAddr,
    admin_socket: PathBuf,
    token: Option<String>,
    bounds: Bounds,
    clock: SharedClock,
}

impl Setup {
    /// A service that listens on `listen` and has its admin socket at this path.
    #[must_use]
    pub fn new(listen: SocketAddr, admin_socket: PathBuf, clock: SharedClock) -> Self {
        Self {
            listen,
            admin_socket,
            token: None,
            bounds: Bounds::default(),
            clock,
        }
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
    /// Writes would be open to the network.
    #[error("listening on {address} needs a token: set RSR_API_TOKEN, or listen on 127.0.0.1")]
    NeedsToken {
        /// The address from the settings.
        address: SocketAddr,
    },
    /// There is no admin socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Serves until `stop` resolves, then ends in order: not ready any more, no new connection, a grace time for requests
/// under way, streams cut where they can be resumed.
///
/// `ready` is called once, when both listeners are bound.
///
/// # Errors
///
/// [`ServeError`], before anything is served. Once it serves, only `stop` ends it.
pub async fn serve(
    setup: Setup,
    ready: impl FnOnce(&Addresses),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let Setup {
        listen,
        admin_socket,
        token,
        bounds,
        clock,
    } = setup;
    if token.is_none() && !listen.ip().is_loopback() {
        return Err(ServeError::NeedsToken { address: listen });
    }
    let failed = |source| ServeError::Listen {
        address: listen,
        source,
    };
    let (socket, admin_listener) = AdminSocket::bind(&admin_socket)?;
    let owner_uid = socket.owner_uid().map_err(failed)?;
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let addresses = Addresses {
        http: listener.local_addr().map_err(failed)?,
        admin_socket: socket.path().to_owned(),
    };

    let token = token.as_deref().map(Token::new);
    let app = App::new(bounds.clone(), listen, token, clock);
    let public = accept_loop(
        Listening::Tcp(listener),
        routes::public(&app),
        bounds.clone(),
        app.drain.clone(),
    );
    let admin = accept_loop(
        Listening::Unix {
            listener: admin_listener,
            owner_uid,
        },
        routes::admin(&app),
        bounds.clone(),
        app.drain.clone(),
    );
    let serving = async { tokio::join!(public, admin) };
    let stopping = async {
        stop.await;
        tracing::info!("stopping: requests under way get {:?}", bounds.grace);
        app.drain.advance(Phase::Draining);
        tokio::time::sleep(bounds.grace).await;
        app.drain.advance(Phase::Cutting);
        std::future::pending::<()>().await;
    };
    ready(&addresses);
    tokio::select! {
        ((), ()) = serving => {}
        () = stopping => {}
    }
    tracing::info!("stopped");
    Ok(())
}

//! The accept loop, the same for TCP and Unix sockets.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::refusal::Refusing;
use super::stall::StallGuard;
use crate::bounds::Bounds;
use crate::drain::{Drain, Phase};

/// Time for a connection to end by itself after its stream was told to.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Time without any connection after which a service that stops closes its listener before the grace time is over.
const QUIET: Duration = Duration::from_secs(1);
/// Pause after an accept that failed for want of file descriptors, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end, in each request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Somebody on the network.
    Tcp(SocketAddr),
    /// A process of this machine, by its user.
    Unix { uid: u32 },
}

/// A listener of either kind.
#[derive(Debug)]
pub(crate) enum Listening {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// The one user besides root who is let in.
        owner_uid: u32,
    },
}

/// Accepts until the grace time of a service that stops is over, or nobody is connected and nobody comes any more: who
/// asks meanwhile is answered, and sees that it is not ready. Then waits for the connections: their requests end, idle
/// ones close, and what still runs is cut.
pub(crate) async fn accept_loop(listening: Listening, app: Router, bounds: Bounds, drain: Drain) {
    let mut connections = JoinSet::new();
    let clients = Arc::new(Clients::default());
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.reached(Phase::Cutting) => break,
            Some(_ended) = connections.join_next(), if !connections.is_empty() => continue,
            () = nobody_comes(&drain), if connections.is_empty() => break,
            accepted = listening.accept() => accepted,
        };
        let (io, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if connections.len() >= bounds.connections_max {
            tracing::debug!(?peer, "too many connections: this one is closed");
            continue;
        }
        let Some(place) = clients.place(peer, bounds.connections_per_client_max) else {
            tracing::debug!(
                ?peer,
                "too many connections of one client: this one is closed"
            );
            continue;
        };
        let connection = serve_connection(io, peer, app.clone(), bounds.clone(), drain.clone());
        connections.spawn(async move {
            let _place = place;
            connection.await;
        });
    }
    drop(listening);
    while connections.join_next().await.is_some() {}
}

/// Resolves once the service stops and a while has gone by. The wait begins anew with each connection, since the loop
/// asks anew.
async fn nobody_comes(drain: &Drain) {
    drain.reached(Phase::Draining).await;
    tokio::time::sleep(QUIET).await;
}

type AnyIo = Box<dyn ReadWrite>;

trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}
impl<Io: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for Io {}

impl Listening {
    async fn accept(&self) -> io::Result<(AnyIo, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Box::new(stream), Peer::Tcp(address)))
            }
            Self::Unix {
                listener,
                owner_uid,
            } => {
                let (stream, _unnamed) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                if uid != *owner_uid && uid != 0 {
                    return Err(io::Error::new(
                        io::ErrorKind::PermissionDenied,
                        format!("user {uid} is not the owner of the admin socket"),
                    ));
                }
                Ok((Box::new(stream), Peer::Unix { uid }))
            }
        }
    }
}

/// Serves one connection to its end.
async fn serve_connection(io: AnyIo, peer: Peer, app: Router, bounds: Bounds, drain: Drain) {
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        app.clone().oneshot(request.map(Body::new))
    });
    // One that comes while the service stops has its one request answered; one that was there ends with its present one.
    let is_late = !drain.is_serving();
    let told = if is_late {
        Phase::Cutting
    } else {
        Phase::Draining
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(!is_late)
        .header_read_timeout(bounds.head_timeout)
        .max_headers(bounds.headers_max)
        .max_buf_size(bounds.head_max.as_usize().max(8 << 10))
        .serve_connection(
            TokioIo::new(Refusing::new(StallGuard::new(io, bounds.write_stall))),
            service,
        );
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drain.reached(told) => {
            connection.as_mut().graceful_shutdown();
            let cut = async {
                drain.reached(Phase::Cutting).await;
                tokio::time::sleep(LAST_WORDS).await;
            };
            tokio::select! {
                ended = connection => ended,
                () = cut => {
                    tracing::info!(?peer, "a connection was cut: the grace time is over");
                    Ok(())
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(?peer, %error, "a connection ended early");
    }
}

/// Open connections by address. Holds at most as many entries as there are connections.
#[derive(Debug, Default)]
struct Clients {
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's place, given back on drop.
struct ClientPlace {
    clients: Arc<Clients>,
    address: Option<IpAddr>,
}

impl Clients {
    fn place(self: &Arc<Self>, peer: Peer, max: usize) -> Option<ClientPlace> {
        let address = match peer {
            Peer::Tcp(address) => Some(address.ip()),
            Peer::Unix { .. } => None,
        };
        if let Some(address) = address {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let count = open.entry(address).or_default();
            if *count >= max {
                return None;
            }
            *count += 1;
        }
        Some(ClientPlace {
            clients: Arc::clone(self),
            address,
        })
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut open = self
            .clients
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&address);
            }
        }
    }
}

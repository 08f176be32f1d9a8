//! The other end of the admin socket, for programs.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rsr_base::ByteSize;
use serde_json::Value;
use tokio::net::UnixStream;

/// Largest answer that is read.
const ANSWER_MAX: ByteSize = ByteSize::from_mib(64);
/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Talks to the running service over its admin socket.
///
/// ```no_run
/// use rsr_service::client::Client;
///
/// let client = Client::new("/run/user/1000/rsr/admin.sock");
/// let answer = client.get_blocking("/admin/v1/caches/")?;
/// println!("{}", answer.body);
/// # Ok::<(), rsr_service::client::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// What the service answered, refusals included: some of them carry what was asked for, such as an unhealthy health.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, where it is JSON; else its text as a JSON string.
    pub body: Value,
}

impl Answer {
    /// Whether the service did what was asked.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// What the service said about a refusal, on one line.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        (!self.is_success())
            .then(|| self.body["detail"].as_str())
            .flatten()
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No service listens on the socket.
    #[error("no rsr service answers on {socket}: start one with `rsr serve`", socket = socket.display())]
    NotRunning {
        /// The socket's path.
        socket: PathBuf,
        /// What connecting said.
        source: io::Error,
    },
    /// The service did not answer in time.
    #[error("the service gave no answer within {} s", limit.as_secs())]
    Timeout {
        /// The wait that was over.
        limit: Duration,
    },
    /// The exchange broke off.
    #[error("the service broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Client {
    /// A client of the service whose admin socket is at this path. Nothing is opened yet.
    #[must_use]
    pub fn new(socket: impl AsRef<Path>) -> Self {
        Self {
            socket: socket.as_ref().to_owned(),
        }
    }

    /// Asks, with a JSON body where one is given.
    ///
    /// # Errors
    ///
    /// Every [`Error`]; an answer with an error status is an [`Answer`].
    pub async fn request(
        &self,
        method: Method,
        path_and_query: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        tokio::time::timeout(TIMEOUT, self.exchange(method, path_and_query, body))
            .await
            .map_err(|_elapsed| Error::Timeout { limit: TIMEOUT })?
    }

    /// Asks with `GET`, for callers without a runtime of their own.
    ///
    /// # Errors
    ///
    /// As [`Client::request`].
    ///
    /// # Panics
    ///
    /// Inside an async runtime, which it would block.
    pub fn get_blocking(&self, path_and_query: &str) -> Result<Answer, Error> {
        self.request_blocking(Method::GET, path_and_query, None)
    }

    /// Asks with `POST` and a JSON body, for callers without a runtime of their own.
    ///
    /// # Errors
    ///
    /// As [`Client::request`].
    ///
    /// # Panics
    ///
    /// Inside an async runtime, which it would block.
    pub fn post_blocking(&self, path_and_query: &str, body: &Value) -> Result<Answer, Error> {
        self.request_blocking(Method::POST, path_and_query, Some(body))
    }

    fn request_blocking(
        &self,
        method: Method,
        path_and_query: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(broken)?
            .block_on(self.request(method, path_and_query, body))
    }

    async fn exchange(
        &self,
        method: Method,
        path_and_query: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let stream =
            UnixStream::connect(&self.socket)
                .await
                .map_err(|source| Error::NotRunning {
                    socket: self.socket.clone(),
                    source,
                })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let connection = tokio::spawn(connection);
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path_and_query)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::from(bytes)))
            .map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let status: StatusCode = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MAX.as_usize())
            .collect()
            .await
            .map_err(Error::Broken)?
            .to_bytes();
        drop(sender);
        connection.abort();
        Ok(Answer {
            status: status.as_u16(),
            body: serde_json::from_slice(&body)
                .unwrap_or_else(|_no_json| String::from_utf8_lossy(&body).into()),
        })
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Broken(error.into())
}

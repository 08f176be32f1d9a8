//! The bounds of the service: every wait, queue and buffer ends here.

use std::time::Duration;

use rsr_base::ByteSize;

/// What one request, one connection and all of them together may take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Bounds {
    /// Bytes of a request's body.
    pub body_max: ByteSize,
    /// Bytes of a request's line and headers together.
    pub head_max: ByteSize,
    /// Number of headers of a request.
    pub headers_max: usize,
    /// Time until a connection has sent its whole head; also how long an idle one is kept.
    pub head_timeout: Duration,
    /// Time until the answer's head; streams may go on after it.
    pub request_timeout: Duration,
    /// Time without one byte taken, after which a reader counts as gone.
    pub write_stall: Duration,
    /// Open connections of all clients.
    pub connections_max: usize,
    /// Open connections of one address.
    pub connections_per_client_max: usize,
    /// Requests under way, health and metrics not counted.
    pub requests_max: usize,
    /// Threads that answer short reads and writes.
    pub readers_max: usize,
    /// Requests that wait for one of those threads.
    pub waiting_max: usize,
    /// Streams under way, each with a thread and a connection to the database.
    pub streams_max: usize,
    /// Bytes up to which an answer is sent in one piece, with its length and an `ETag`.
    pub whole_max: ByteSize,
    /// Bytes gathered before a stream hands them on.
    pub stream_buffer: ByteSize,
    /// Time for requests under way when the service stops.
    pub grace: Duration,
    /// What a refused caller is told to wait.
    pub retry_after: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_max: ByteSize::from_mib(1),
            head_max: ByteSize::from_kib(64),
            headers_max: 100,
            head_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            write_stall: Duration::from_secs(60),
            connections_max: 1024,
            connections_per_client_max: 256,
            requests_max: 256,
            readers_max: 8,
            waiting_max: 256,
            streams_max: 8,
            whole_max: ByteSize::from_kib(256),
            stream_buffer: ByteSize::from_kib(32),
            grace: Duration::from_secs(20),
            retry_after: Duration::from_secs(2),
        }
    }
}

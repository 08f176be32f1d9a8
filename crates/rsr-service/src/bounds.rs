//! The bounds of a running service: every wait, queue and buffer ends here. Taken from the settings once, at the start;
//! what may change while it runs is read from the live settings at each use.

use std::time::Duration;

use rsr_base::ByteSize;
use rsr_settings::Settings;

/// What one connection, one stream and all of them together may take.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// Bytes of a request's line and headers together.
    pub(crate) head_max: ByteSize,
    /// Number of headers of a request.
    pub(crate) headers_max: usize,
    /// Time until a connection has sent its whole head; also how long an idle one is kept.
    pub(crate) head_timeout: Duration,
    /// Time without one byte taken, after which a reader counts as gone.
    pub(crate) write_stall: Duration,
    /// Open connections of all clients.
    pub(crate) connections_max: usize,
    /// Open connections of one address. A connection has one request at a time.
    pub(crate) connections_per_client_max: usize,
    /// Requests under way, light routes not counted.
    pub(crate) requests_max: usize,
    /// Threads that answer short reads and writes.
    pub(crate) readers_max: usize,
    /// Requests that wait for one of those threads.
    pub(crate) waiting_max: usize,
    /// Streams under way, each with a thread and a connection to the database.
    pub(crate) streams_max: usize,
    /// Bytes up to which an answer is sent in one piece, with its length and an `ETag`.
    pub(crate) whole_max: ByteSize,
    /// Bytes gathered before a stream hands them on.
    pub(crate) stream_buffer: ByteSize,
    /// What a refused caller is told to wait.
    pub(crate) retry_after: Duration,
}

impl Bounds {
    /// The bounds these settings ask for.
    pub(crate) fn of(settings: &Settings) -> Self {
        let server = &settings.server;
        Self {
            head_max: server.max_header_bytes,
            headers_max: 100,
            head_timeout: server.header_timeout,
            write_stall: server.stream_timeout,
            connections_max: server.max_requests.saturating_mul(4),
            connections_per_client_max: server.max_requests_per_client,
            requests_max: server.max_requests,
            readers_max: settings.database.pool_size,
            waiting_max: server.max_requests,
            streams_max: server.max_streams,
            whole_max: ByteSize::from_kib(128),
            stream_buffer: ByteSize::from_kib(32),
            retry_after: Duration::from_secs(2),
        }
    }
}

//! A client that costs next to nothing: one blocking connection, answers counted and thrown away.
//!
//! The client shares the machine with the server, so it parses no more than the head of an answer, and keeps no body that
//! nobody looks at. A light request over a kept connection takes it two system calls.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rsr_base::SharedClock;

use crate::chaos::pass;

/// Longest wait for a byte: longer is a hanging server.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a body that are kept.
const KEPT_MAX: usize = 1 << 20;

/// How an answer is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// Pause after each buffer of 16 KiB.
    pub(super) pause: Option<Duration>,
    /// Bytes after which the reader hangs up.
    pub(super) at_most: Option<u64>,
}

/// What is known of an answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) has_retry_after: bool,
    /// The target of `Link: <…>; rel="next"`.
    pub(super) next: Option<String>,
    pub(super) location: Option<String>,
    pub(super) n_bytes: u64,
    /// The beginning of the body.
    pub(super) body: Vec<u8>,
    /// Until the last byte.
    pub(super) took: Duration,
    /// Whether it was read to its end.
    pub(super) is_whole: bool,
    length: Length,
    is_last: bool,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(u64),
    Chunked,
}

impl Default for Length {
    fn default() -> Self {
        Self::Bytes(0)
    }
}

/// What one client saw.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) n_bytes: u64,
    /// Times of light answers, each with its route.
    pub(super) light: Vec<(&'static str, Duration)>,
    /// Streams of everything that were read to their end, and the bytes of the largest.
    pub(super) n_whole: u64,
    pub(super) largest: u64,
    /// What no client may see.
    pub(super) violations: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        for (status, n) in other.statuses {
            *self.statuses.entry(status).or_default() += n;
        }
        self.n_bytes += other.n_bytes;
        self.light.extend(other.light);
        self.n_whole += other.n_whole;
        self.largest = self.largest.max(other.largest);
        self.violations.extend(other.violations);
    }

    pub(super) fn n(&self, status: u16) -> u64 {
        self.statuses.get(&status).copied().unwrap_or_default()
    }
}

/// One connection, made anew where it was closed.
pub(super) struct Client {
    address: String,
    clock: SharedClock,
    connection: Option<BufReader<TcpStream>>,
    pub(super) tally: Tally,
}

impl Client {
    pub(super) fn new(address: &str, clock: &SharedClock) -> Self {
        Self {
            address: address.to_owned(),
            clock: SharedClock::clone(clock),
            connection: None,
            tally: Tally::default(),
        }
    }

    pub(super) fn get(&mut self, path: &str, reading: Reading) -> Option<Answer> {
        self.ask("GET", path, "", reading)
    }

    /// Asks, reads the answer, and notes what came of it; `None` where nothing whole came.
    pub(super) fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
        reading: Reading,
    ) -> Option<Answer> {
        let began = self.clock.elapsed();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let is_kept = self.connection.is_some();
        let mut answered = self.exchange(&request, reading);
        if is_kept && answered.as_ref().is_err_and(is_closed) {
            // An idle connection may be closed at any time; what was not answered is asked again on a new one.
            answered = self.exchange(&request, reading);
        }
        match answered {
            Ok(mut answer) => {
                answer.took = self.clock.elapsed().saturating_sub(began);
                *self.tally.statuses.entry(answer.status).or_default() += 1;
                self.tally.n_bytes += answer.n_bytes;
                let is_refusal = answer.status == 503 && answer.has_retry_after;
                if answer.status >= 500 && !is_refusal {
                    let body = String::from_utf8_lossy(&answer.body);
                    let seen = format!("{method} {path}: {} {body}", answer.status);
                    self.tally.violations.push(seen);
                }
                Some(answer)
            }
            Err(error) => {
                self.connection = None;
                self.tally
                    .violations
                    .push(format!("{method} {path}: no whole answer: {error}"));
                None
            }
        }
    }

    fn exchange(&mut self, request: &str, reading: Reading) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                BufReader::with_capacity(16 << 10, stream)
            }
        };
        connection.get_mut().write_all(request.as_bytes())?;
        let mut answer = head(&mut connection)?;
        answer.is_whole = self.read_body(&mut connection, &mut answer, reading)?;
        if answer.is_whole && !answer.is_last {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    /// Reads and throws away. Answers whether the end was reached.
    fn read_body(
        &self,
        connection: &mut BufReader<TcpStream>,
        answer: &mut Answer,
        reading: Reading,
    ) -> io::Result<bool> {
        loop {
            // A chunk ends with a line end of its own.
            let (size, mut left) = match answer.length {
                Length::Chunked => {
                    let size = line(connection)?;
                    let size = u64::from_str_radix(size.trim(), 16).map_err(|_no_number| {
                        io::Error::other(format!("no size of a chunk: {size:?}"))
                    })?;
                    (size, size + 2)
                }
                Length::Bytes(size) => (size, size),
            };
            while left > 0 {
                let buffer = connection.fill_buf()?;
                if buffer.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let n = buffer
                    .len()
                    .min(usize::try_from(left).unwrap_or(usize::MAX));
                let room = KEPT_MAX.saturating_sub(answer.body.len()).min(n);
                answer.body.extend(buffer.iter().take(room));
                connection.consume(n);
                left -= n as u64;
                answer.n_bytes += n as u64;
                if reading.at_most.is_some_and(|most| answer.n_bytes >= most) {
                    return Ok(false);
                }
                if let Some(pause) = reading.pause {
                    pass(&*self.clock, pause);
                }
            }
            if answer.length != Length::Chunked || size == 0 {
                return Ok(true);
            }
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}

fn head(connection: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let first = line(connection)?;
    let status = first.split(' ').nth(1).and_then(|text| text.parse().ok());
    let mut answer = Answer {
        status: status.ok_or_else(|| io::Error::other(format!("no status: {first:?}")))?,
        ..Answer::default()
    };
    loop {
        let line = line(connection)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            return Ok(answer);
        };
        match name {
            "retry-after" => answer.has_retry_after = true,
            "content-length" => answer.length = Length::Bytes(value.parse().unwrap_or_default()),
            "transfer-encoding" => answer.length = Length::Chunked,
            "connection" => answer.is_last = value == "close",
            "location" => answer.location = Some(value.to_owned()),
            "link" => {
                let target = value
                    .strip_prefix('<')
                    .and_then(|rest| rest.split_once('>'));
                answer.next = target.map(|(target, _)| target.to_owned());
            }
            _ => {}
        }
    }
}

fn line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    // A head is a few KiB; more than that is no head.
    if connection.by_ref().take(16 << 10).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line)
}

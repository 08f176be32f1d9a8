//! Requests that are none: what hyper refuses before any route sees it is answered as a problem too.
//!
//! Hyper answers a head that it cannot read with a status and no body, and closes. This stands between it and the
//! socket: such an answer, which it always writes in one piece and which alone has no `X-Request-Id`, leaves with a
//! problem as its body.

use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use uuid::Uuid;

use crate::problem::{Kind, Problem};

/// Longest answer of hyper's own.
const OWN_MAX: usize = 256;
/// A client that is refused may still be sending. If the socket closed with bytes unread, the system would take the
/// answer back: so much, and so long, is read away first.
const UNREAD_MAX: usize = 1 << 20;
const LINGER: Duration = Duration::from_secs(1);

/// Passes everything on but hyper's own refusals.
#[derive(Debug)]
pub(crate) struct Refusing<Io> {
    io: Io,
    refusal: Option<Refusal>,
}

#[derive(Debug)]
struct Refusal {
    answer: Vec<u8>,
    n_written: usize,
    n_read_away: usize,
    linger: Pin<Box<Sleep>>,
}

impl<Io> Refusing<Io> {
    pub(crate) const fn new(io: Io) -> Self {
        Self { io, refusal: None }
    }
}

/// The same answer with a problem in it; `None` where the bytes are no refusal of hyper's own.
fn with_problem(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = (bytes.len() <= OWN_MAX)
        .then(|| std::str::from_utf8(bytes).ok())
        .flatten()?;
    let head = text.strip_suffix("\r\n\r\n")?;
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| head.strip_prefix("HTTP/1.0 "))?;
    let (kind, detail) = match status.get(..3)? {
        "400" => (
            Kind::NotHttp,
            "the request's line or one of its headers is not HTTP/1.1",
        ),
        "414" => (
            Kind::UriTooLong,
            "the request's line is longer than HTTP servers read",
        ),
        "431" => (
            Kind::HeadTooLarge,
            "the request's line and headers are larger than server.max_header_bytes, or more than 100",
        ),
        _ => return None,
    };
    let is_named = |name: &str| head.lines().any(|line| line.starts_with(name));
    if is_named("x-request-id") || !is_named("content-length: 0") {
        return None;
    }
    let id = Uuid::new_v4().simple().to_string();
    let problem = Problem::new(kind, detail);
    problem.log();
    let body = problem.document(Some(&id)).to_string();
    let mut answer = String::new();
    for line in head
        .lines()
        .filter(|line| !line.starts_with("content-length"))
    {
        answer.push_str(line);
        answer.push_str("\r\n");
    }
    write!(
        answer,
        "content-type: application/problem+json\r\ncache-control: no-store\r\nx-request-id: {id}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("a String takes whatever is written to it");
    Some(answer.into_bytes())
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Refusing<Io> {
    /// Writes what is left of a refusal.
    fn write_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(refusal) = &mut self.refusal {
            let (_written, left) = refusal.answer.split_at(refusal.n_written);
            if left.is_empty() {
                break;
            }
            let n = ready!(Pin::new(&mut self.io).poll_write(context, left))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            refusal.n_written += n;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads away what a refused client still sends, until it has heard or for a while.
    fn read_away(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(refusal) = &mut self.refusal else {
            return Poll::Ready(());
        };
        let mut bytes = [0; 4 << 10];
        while refusal.n_read_away < UNREAD_MAX {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.io).poll_read(context, &mut buffer) {
                Poll::Pending => return refusal.linger.as_mut().poll(context),
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    refusal.n_read_away += buffer.filled().len();
                }
                Poll::Ready(_end) => break,
            }
        }
        Poll::Ready(())
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Refusing<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Refusing<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(answer) = with_problem(bytes) {
            self.refusal = Some(Refusal {
                answer,
                n_written: 0,
                n_read_away: 0,
                linger: Box::pin(tokio::time::sleep(LINGER)),
            });
            // Taken whole: what it becomes is written before anything else is.
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.write_refusal(context))?;
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        if let (Some(only), None) = (filled.next(), filled.next()) {
            return self.poll_write(context, only);
        }
        ready!(self.write_refusal(context))?;
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_refusal(context))?;
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_refusal(context))?;
        ready!(Pin::new(&mut self.io).poll_shutdown(context))?;
        ready!(self.read_away(context));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_of_hyper_itself_are_rewritten() {
        let own = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: Sat, 28 Nov 2026 02:00:00 GMT\r\n\r\n";
        let rewritten = String::from_utf8(with_problem(own.as_bytes()).unwrap()).unwrap();
        let (head, body) = rewritten.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}", body.len()))
                && head.contains("connection: close")
        );
        assert!(body.contains("urn:rsr:problem:head-too-large") && body.contains("\"status\":431"));
        for other in [
            "HTTP/1.1 431 X\r\nx-request-id: a\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n",
            "",
        ] {
            assert_eq!(with_problem(other.as_bytes()), None, "{other}");
        }
    }
}

//! The blocking end of a stream: an [`io::Write`] whose bytes arrive in a response body.

use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::Frame;
use rsr_base::ByteSize;
use rsr_monitoring::Scope;
use tokio::sync::mpsc;

use super::threads::let_pass;
use crate::budget::Allowance;
use crate::drain::{Drain, Phase};

/// A body that ended before its end: its work failed, panicked or gave up after the head was sent.
///
/// The server answers it by breaking the connection, so that no reader takes a part for the whole.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the stream was cut before its end")]
pub(crate) struct StreamCut;

/// What goes from the thread to the body. A channel that closes without `End` is a cut.
#[derive(Debug)]
pub(super) enum Message {
    Bytes(Bytes),
    End,
}

/// How the bytes are coded on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

/// Gathers bytes and hands them on a buffer at a time; waits while the reader is slow, fails once it is gone.
///
/// Nothing is sent before the buffer is full or [`Write::flush`] is called. What is left is sent by
/// [`BodyWriter::finish`] alone: a writer dropped before that leaves the body cut, never silently shortened.
#[derive(Debug)]
pub(crate) struct BodyWriter {
    coder: Coder,
    drain: Drain,
}

enum Coder {
    Identity(Buffers),
    Gzip(Box<GzEncoder<Buffers>>),
    Zstd(Box<zstd::Encoder<'static, Buffers>>),
}

/// A buffer on its way to the reader. It is freed wherever the connection is done with it, and counts as freed by the
/// request that filled it.
struct Handed {
    bytes: Vec<u8>,
    scope: Option<Scope>,
}

impl AsRef<[u8]> for Handed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        if let Some(scope) = &self.scope {
            let bytes = std::mem::take(&mut self.bytes);
            scope.run(|| drop(bytes));
        }
    }
}

struct Buffers {
    buffer: Vec<u8>,
    limit: usize,
    sender: mpsc::Sender<Message>,
    n_sent: u64,
    /// What is reserved for the request; asked at each full buffer.
    allowance: Option<Allowance>,
    /// Present while it is open whether the body will be one piece or a stream.
    undecided: Option<Undecided>,
}

/// How a body that turned out small, or large, is told to the one who waits for its head.
pub(super) struct Undecided {
    /// Bytes that are gathered before the body becomes a stream.
    pub(super) whole_max: usize,
    pub(super) decide: Box<dyn FnOnce(Option<Bytes>) -> io::Result<()> + Send>,
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers")
            .field("buffered", &self.buffer.len())
            .field("n_sent", &self.n_sent)
            .field("is_stream", &self.undecided.is_none())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Coder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, buffers) = match self {
            Self::Identity(buffers) => ("Identity", buffers),
            Self::Gzip(coder) => ("Gzip", coder.get_ref()),
            Self::Zstd(coder) => ("Zstd", coder.get_ref()),
        };
        f.debug_tuple(name).field(buffers).finish()
    }
}

impl BodyWriter {
    pub(super) fn new(sender: mpsc::Sender<Message>, limit: ByteSize, drain: Drain) -> Self {
        Self {
            coder: Coder::Identity(Buffers {
                buffer: Vec::new(),
                limit: limit.as_usize().max(1),
                sender,
                n_sent: 0,
                allowance: None,
                undecided: None,
            }),
            drain,
        }
    }

    /// A writer that goes on only while what its request holds is reserved.
    pub(super) fn under(mut self, allowance: Option<Allowance>) -> Self {
        if let Coder::Identity(buffers) = &mut self.coder {
            buffers.allowance = allowance;
        }
        self
    }

    /// A writer whose body is one piece if it stays small.
    pub(super) fn undecided(mut self, undecided: Undecided) -> Self {
        if let Coder::Identity(buffers) = &mut self.coder {
            buffers.undecided = Some(undecided);
        }
        self
    }

    /// Codes everything from here on.
    pub(crate) fn encoded(self, encoding: Encoding) -> Self {
        let coder = match (self.coder, encoding) {
            (Coder::Identity(buffers), Encoding::Gzip) => {
                Coder::Gzip(Box::new(GzEncoder::new(buffers, Compression::fast())))
            }
            (Coder::Identity(buffers), Encoding::Zstd) => Coder::Zstd(Box::new(zstd_of(buffers))),
            (coder, _) => coder,
        };
        Self { coder, ..self }
    }

    /// Whether the service's grace time is over, so that a stream which can be resumed should say how and end.
    pub(crate) fn must_end(&self) -> bool {
        self.drain.phase() == Phase::Cutting
    }

    /// Sends what is left and ends the body well.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self.coder {
            Coder::Identity(buffers) => buffers.end(),
            Coder::Gzip(coder) => coder.finish()?.end(),
            Coder::Zstd(coder) => coder.finish()?.end(),
        }
    }
}

/// A coder at its fastest level, with a window of 128 KiB: some hundreds of KiB for each stream, where the level's own
/// window would take megabytes.
fn zstd_of(buffers: Buffers) -> zstd::Encoder<'static, Buffers> {
    const LEVEL: i32 = 1;
    const WINDOW_LOG: u32 = 17;
    let mut coder = zstd::Encoder::new(buffers, LEVEL).expect("the level is one of zstd's");
    coder
        .window_log(WINDOW_LOG)
        .expect("the window is within zstd's bounds");
    coder
}

impl Write for BodyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.coder {
            Coder::Identity(buffers) => buffers.write(bytes),
            Coder::Gzip(coder) => coder.write(bytes),
            Coder::Zstd(coder) => coder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.coder {
            Coder::Identity(buffers) => buffers.flush(),
            Coder::Gzip(coder) => coder.flush(),
            Coder::Zstd(coder) => coder.flush(),
        }
    }
}

impl Write for Buffers {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() >= self.limit() {
            if let Some(allowance) = &self.allowance {
                allowance.cover()?;
            }
            if let Some(undecided) = self.undecided.take() {
                (undecided.decide)(None)?;
            }
            self.flush()?;
        }
        let taken = bytes.len().min(self.limit() - self.buffer.len());
        let (now, _later) = bytes.split_at(taken);
        self.buffer.extend_from_slice(now);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() || self.undecided.is_some() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.buffer);
        self.n_sent += bytes.len() as u64;
        let bytes = Bytes::from_owner(Handed {
            bytes,
            scope: Scope::current(),
        });
        self.send(Message::Bytes(bytes))
    }
}

impl Buffers {
    /// Bytes that are gathered before they are handed on.
    fn limit(&self) -> usize {
        match &self.undecided {
            Some(undecided) => undecided.whole_max.max(1),
            None => self.limit,
        }
    }

    fn end(mut self) -> io::Result<()> {
        if let Some(undecided) = self.undecided.take() {
            return (undecided.decide)(Some(Bytes::from(std::mem::take(&mut self.buffer))));
        }
        self.flush()?;
        self.send(Message::End)
    }

    fn send(&self, message: Message) -> io::Result<()> {
        let_pass();
        self.sender
            .blocking_send(message)
            .map_err(|_gone| io::Error::new(io::ErrorKind::BrokenPipe, "the reader hung up"))
    }
}

/// The async end of a stream.
#[derive(Debug)]
pub(super) struct ChannelBody {
    buffers: mpsc::Receiver<Message>,
    has_ended: bool,
}

impl ChannelBody {
    pub(super) fn new(buffers: mpsc::Receiver<Message>) -> Self {
        Self {
            buffers,
            has_ended: false,
        }
    }
}

impl http_body::Body for ChannelBody {
    type Data = Bytes;
    type Error = StreamCut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamCut>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        self.buffers
            .poll_recv(context)
            .map(|message| match message {
                Some(Message::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Message::End) => {
                    self.has_ended = true;
                    None
                }
                None => {
                    self.has_ended = true;
                    Some(Err(StreamCut))
                }
            })
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended
    }
}

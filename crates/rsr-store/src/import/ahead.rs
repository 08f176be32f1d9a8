//! What a file has, step by step; read on a thread of its own where keeping it means to wait for a server.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, Scope};
use std::time::Duration;
use std::vec::IntoIter;

use rsr_iati::model::{ActivityElement, ActivityHead};
use rsr_iati::reader::{ActivityReader, Counts, Event, FileKind, Finding, ReadError};
use rsr_iati::xml::Position;

/// Steps of a batch, and what was read for them.
const BATCH_BYTES: usize = 512 << 10;
/// An identifier that is longer is asked for when its activity is kept.
const IDENTIFIER_BYTES: usize = 1 << 10;
/// How long a source may be silent before others are let write.
const SILENCE_MAX: Duration = Duration::from_millis(500);
/// What is as large is let through before more is read: memory is to hold one such element, and not two.
const LARGE_BYTES: usize = 64 << 10;

/// What was read.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are elements, and a box for each costs more than the room of the others"
)]
pub(super) enum Read {
    Start(ActivityHead, Position),
    /// An element with its canonical fragment.
    Element(ActivityElement, String, Position),
    End,
    Skipped(Finding),
    FileEnd,
    Error(ReadError),
}

/// What was read, and how things stood then.
pub(super) struct Step {
    pub(super) read: Read,
    /// What was found since the step before.
    pub(super) findings: Vec<Finding>,
    pub(super) counts: Counts,
    pub(super) line: u64,
    pub(super) kind: FileKind,
}

impl Step {
    fn next(reader: &mut ActivityReader<'_>) -> Self {
        let read = match reader.next_event() {
            Ok(Some(Event::ActivityStart(head, position))) => Read::Start(head, position),
            Ok(Some(Event::Element(element, position))) => {
                let xml = element.to_xml();
                Read::Element(element, xml, position)
            }
            Ok(Some(Event::ActivityEnd)) => Read::End,
            Ok(Some(Event::ActivitySkipped(finding))) => Read::Skipped(finding),
            Ok(None) => Read::FileEnd,
            Err(error) => Read::Error(error),
        };
        Self {
            read,
            findings: reader.take_findings(),
            counts: reader.counts(),
            line: reader.position().line,
            kind: reader.file().kind,
        }
    }

    fn is_last(&self) -> bool {
        matches!(self.read, Read::FileEnd | Read::Error(_))
    }
}

/// What comes next.
#[expect(clippy::large_enum_variant, reason = "nearly all are steps")]
pub(super) enum Next {
    Step(Step),
    /// Nothing did for a while: the source is slow.
    Silent,
    /// The thread that reads broke.
    Broken,
}

/// Steps that were read together.
#[derive(Default)]
pub(super) struct Batch {
    steps: Vec<Step>,
    /// The identifiers of activities that are among them.
    identifiers: Vec<String>,
    n_bytes: usize,
}

/// Where the steps of a file come from.
pub(super) enum Steps<'s, 'r> {
    Here(&'s mut ActivityReader<'r>),
    Ahead {
        batches: Receiver<Batch>,
        steps: IntoIter<Step>,
        /// Identifiers of the batch at hand that nobody was told of yet.
        identifiers: Vec<String>,
    },
}

impl<'s, 'r> Steps<'s, 'r> {
    /// Reads on a thread of its own.
    ///
    /// # Errors
    ///
    /// The system has no thread to give.
    pub(super) fn ahead<'scope>(
        reader: &'scope mut ActivityReader<'r>,
        scope: &'scope Scope<'scope, '_>,
    ) -> io::Result<Self>
    where
        'r: 'scope,
    {
        // Nothing waits in it: what was sent is at work, and one more is read meanwhile.
        let (send, batches) = sync_channel(0);
        thread::Builder::new()
            .name("rsr-import".to_owned())
            .spawn_scoped(scope, move || read(reader, &send))?;
        Ok(Self::Ahead {
            batches,
            steps: Vec::new().into_iter(),
            identifiers: Vec::new(),
        })
    }

    /// The next step.
    pub(super) fn next(&mut self) -> Next {
        match self {
            Self::Here(reader) => Next::Step(Step::next(reader)),
            Self::Ahead {
                batches,
                steps,
                identifiers,
            } => loop {
                if let Some(step) = steps.next() {
                    return Next::Step(step);
                }
                let batch = match batches.recv_timeout(SILENCE_MAX) {
                    Ok(batch) => batch,
                    Err(RecvTimeoutError::Timeout) => return Next::Silent,
                    Err(RecvTimeoutError::Disconnected) => return Next::Broken,
                };
                *steps = batch.steps.into_iter();
                *identifiers = batch.identifiers;
            },
        }
    }

    /// Identifiers of activities that come, each told once.
    pub(super) fn coming(&mut self) -> Vec<String> {
        match self {
            Self::Here(_) => Vec::new(),
            Self::Ahead { identifiers, .. } => std::mem::take(identifiers),
        }
    }
}

/// Reads to the end, or until nobody takes it any more.
fn read(reader: &mut ActivityReader<'_>, send: &SyncSender<Batch>) {
    let mut batch = Batch::default();
    let mut offset = 0;
    let mut is_known = false;
    loop {
        let step = Step::next(reader);
        let is_last = step.is_last();
        // All that a step holds comes from what was read for it.
        let before = std::mem::replace(&mut offset, reader.position().offset);
        let n_read = usize::try_from(offset.saturating_sub(before)).unwrap_or(usize::MAX);
        let is_large = n_read >= LARGE_BYTES;
        batch.n_bytes = batch.n_bytes.saturating_add(n_read) + size_of::<Step>();
        match &step.read {
            Read::Start(..) => is_known = false,
            Read::Element(ActivityElement::Identifier(element), ..) if !is_known => {
                is_known = true;
                let identifier = element.identifier();
                if identifier.len() <= IDENTIFIER_BYTES {
                    batch.identifiers.push(identifier.to_owned());
                }
            }
            _ => {}
        }
        batch.steps.push(step);
        if !is_last && !is_large && batch.n_bytes < BATCH_BYTES {
            continue;
        }
        if send.send(std::mem::take(&mut batch)).is_err() || is_last {
            return;
        }
        // An empty one is taken when what came before is done with.
        if is_large && send.send(Batch::default()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_ahead_is_bounded_whatever_it_is() {
        let long = "x".repeat(1_000);
        let texts = [
            "<iati-activity/>".to_owned(),
            format!("<iati-activity x='{long}'/>"),
            format!("<iati-activity><iati-identifier>{long}{long}</iati-identifier></iati-activity>"),
            "<iati-activity><iati-identifier>XM-1</iati-identifier><title/><nonsense/></iati-activity>"
                .to_owned(),
        ];
        for text in texts {
            let file = format!(
                "<iati-activities version='2.03'>{}</iati-activities>",
                text.repeat(4_000)
            );
            let mut reader = ActivityReader::new(file.as_bytes());
            let (send, batches) = sync_channel(0);
            thread::scope(|scope| {
                scope.spawn(|| {
                    read(&mut reader, &send);
                    drop(send);
                });
                let mut n_ends = 0;
                for batch in batches {
                    let n_bytes: usize = batch.identifiers.iter().map(String::len).sum();
                    assert!(n_bytes <= BATCH_BYTES, "{n_bytes} bytes of identifiers");
                    let n = batch.steps.len() * size_of::<Step>();
                    assert!(
                        n < BATCH_BYTES + 2 * size_of::<Step>(),
                        "{n} bytes of steps"
                    );
                    n_ends += batch
                        .steps
                        .iter()
                        .filter(|step| matches!(step.read, Read::End | Read::Skipped(_)))
                        .count();
                }
                assert_eq!(n_ends, 4_000, "{}", text.len());
            });
        }
    }
}

//! One large file on several threads.
//!
//! The file is cut after activities; each part is read with the start of the file put before it, so that it is a document
//! of its own. Each thread reads its part from the input itself, one thread at a time: its bytes are in the cache of the
//! core that checks them then. Groups come out in the order of the file. Where a part turns out not to end between two
//! activities of the root (another root inside, an extension after the activities, a cut inside a comment, broken XML), the
//! rest of the file, from that part on, is read on one thread: what comes out is always what [`validate`] gives.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::outlet::{Ended, Outlet};
use super::run::Run;
use super::source::{Part, Source, count_lines};
use super::{Group, Options, Summary, validate, validate_any};
use crate::xml::{Reader, Token, as_text};

/// Bytes of a part. It stays in the cache of the core that reads it, and its beginning costs little beside it.
const PART_BYTES: usize = 1 << 19;

/// A part with more findings is read again on one thread, which holds those of one activity at a time.
const FINDINGS_MAX: usize = 1024;

/// Memory of parts that is larger is given back: an unusual activity was in it.
const MEMORY_MAX: usize = 2 * PART_BYTES;

/// Checks one file as [`validate`] does, on several threads. Groups come in the order of the file, on the caller's own.
///
/// Memory: for each thread that of [`validate`], and two parts of 512 KiB with what comes before the first activity and up
/// to 1,024 findings; for as long as there are larger activities, parts of up to 1 MiB. From an activity on that is larger or
/// that is not one of the root's, and from a part on with more findings, the file is read on one thread; so it is with a
/// ruleset of the caller's, whose rules may look past an activity.
pub fn validate_parallel<R: Read + Send>(
    mut input: R,
    options: &Options,
    n_threads: NonZero<usize>,
    sink: &mut dyn FnMut(Group),
) -> Summary {
    if n_threads.get() == 1 || options.ruleset.is_some() {
        return validate(input, options, sink);
    }
    in_parts(&mut input, options, n_threads.get(), PART_BYTES, sink)
}

/// The same with parts of that many bytes.
pub(super) fn in_parts(
    input: &mut (dyn Read + Send),
    options: &Options,
    n_threads: usize,
    part_bytes: usize,
    sink: &mut dyn FnMut(Group),
) -> Summary {
    let mut source = match Source::new(input, part_bytes) {
        Ok(source) => source,
        Err(error) => {
            return validate_any(Reader::of_unzipped(&mut Broken(Some(error))), options, sink);
        }
    };
    let trouble = match source.find_prologue() {
        Ok(true) => {
            let prologue = source.prologue().to_vec();
            let team = Team {
                prologue: &prologue,
                options,
                n_threads,
            };
            return team.read(source, Outlet::new(options, sink));
        }
        Ok(false) => None,
        Err(error) => Some(error),
    };
    let mut rest = source.into_rest().chain(Broken(trouble));
    validate_any(Reader::of_unzipped(&mut rest), options, sink)
}

/// An input that was found unreadable.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _into: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// What became of a part.
struct Outcome {
    activities: Vec<Ended>,
    open: Ended,
    file: Ended,
    summary: Summary,
    /// It ends where the next part can be begun afresh.
    is_whole: bool,
    /// It has more findings than are held, and is of no use.
    is_overfull: bool,
}

/// A part that was read, or the fault of a thread.
type Done = thread::Result<(Part, Outcome)>;

/// What the threads share.
struct Shared<'r> {
    source: Source<'r>,
    /// Why the input could not be read on.
    trouble: Option<io::Error>,
}

struct Team<'t> {
    prologue: &'t [u8],
    options: &'t Options,
    n_threads: usize,
}

impl Team<'_> {
    fn read(&self, source: Source<'_>, mut outlet: Outlet<'_>) -> Summary {
        let n_in_flight = self.n_threads * 2;
        // Memory for one part each. Who has some may read a part: as many are on their way as there is memory for.
        let (memory, waiting) = sync_channel::<Vec<u8>>(n_in_flight);
        let (results, done) = sync_channel::<Done>(n_in_flight);
        let waiting = Mutex::new(waiting);
        let shared = Mutex::new(Shared {
            source,
            trouble: None,
        });
        // What is not taken yet, in the order of the file, from `n_taken` on.
        let mut parts: VecDeque<Option<(Part, Outcome)>> = VecDeque::new();
        let mut n_taken = 0;
        let end = thread::scope(|scope| {
            // The threads end when it is dropped.
            let mut memory = Some(memory);
            for _ in 0..self.n_threads {
                let (waiting, shared, results) = (&waiting, &shared, results.clone());
                scope.spawn(move || self.work(waiting, shared, &results));
            }
            drop(results);
            for _ in 0..n_in_flight {
                give(memory.as_ref(), Vec::new());
            }
            let mut end = None;
            // All have ended once there is nothing more to receive.
            while let Ok(result) = done.recv() {
                // A fault in a thread is the caller's.
                let (part, outcome) = result.unwrap_or_else(|fault| resume_unwind(fault));
                let place = part.number - n_taken;
                while parts.len() <= place {
                    parts.push_back(None);
                }
                if let Some(slot) = parts.get_mut(place) {
                    *slot = Some((part, outcome));
                }
                while let Some((part, outcome)) = parts
                    .pop_front_if(|part| part.as_ref().is_some_and(is_next))
                    .flatten()
                {
                    n_taken += 1;
                    outlet.part(outcome.activities, outcome.file, &outcome.summary);
                    if part.is_last {
                        end = Some(outcome.open);
                    }
                    let is_usual = part.document.capacity() <= MEMORY_MAX;
                    give(
                        memory.as_ref(),
                        if is_usual { part.document } else { Vec::new() },
                    );
                }
                // What comes after a part that is not whole is read again, behind it.
                if let Some(Some(_)) = parts.front() {
                    memory = None;
                }
            }
            end
        });
        match end {
            Some(open) => outlet.finish(open),
            None => {
                let shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
                let parts = parts.into_iter().flatten().map(|(part, _)| part);
                self.go_on_alone(parts.collect(), shared, outlet)
            }
        }
    }

    fn work(
        &self,
        waiting: &Mutex<Receiver<Vec<u8>>>,
        shared: &Mutex<Shared<'_>>,
        results: &SyncSender<Done>,
    ) {
        let mut run = Run::new(self.options);
        loop {
            let memory = waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            let Ok(memory) = memory else { return };
            let read = catch_unwind(AssertUnwindSafe(|| {
                let part = next_part(shared, memory)?;
                run.restart();
                Some(self.outcome(part, &mut run))
            }));
            let Some(done) = read.transpose() else {
                return;
            };
            if results.send(done).is_err() {
                return;
            }
        }
    }

    /// Reads one part.
    fn outcome(&self, mut part: Part, run: &mut Run<'_>) -> (Part, Outcome) {
        // Nearly all parts are text as they stand, and need not be copied.
        let document = std::mem::take(&mut part.document);
        let text = if part.is_first {
            Err(document)
        } else {
            as_text(document)
        };
        let outcome;
        match text {
            Ok(text) => {
                let mut reader = Reader::whole(text);
                outcome = self.outcome_of(&mut reader, &part, run);
                part.document = reader.into_whole().into_bytes();
            }
            Err(document) => {
                let mut input = &*document;
                let mut reader = Reader::of_unzipped(&mut input as &mut dyn Read);
                outcome = self.outcome_of(&mut reader, &part, run);
                part.document = document;
            }
        }
        (part, outcome)
    }

    fn outcome_of(
        &self,
        reader: &mut Reader<&mut dyn Read>,
        part: &Part,
        run: &mut Run<'_>,
    ) -> Outcome {
        let mut activities = Vec::new();
        let mut n_findings = 0;
        let mut keep = |ended: Ended| {
            n_findings += ended.findings.len();
            if n_findings <= FINDINGS_MAX {
                activities.push(ended);
            }
        };
        let mut is_whole = part.is_first || run.resume(reader, self.line_shift(part), &mut keep);
        if part.is_last {
            run.read_to_end_of_input(reader, &mut keep);
        } else {
            is_whole &= run.read_to_closing(reader, &mut keep);
        }
        let (open, file, summary) = run.finish();
        Outcome {
            activities,
            open,
            file,
            summary,
            is_whole,
            is_overfull: n_findings > FINDINGS_MAX,
        }
    }

    /// How many lines later in the file a part stands than behind the prologue.
    fn line_shift(&self, part: &Part) -> u64 {
        part.n_lines_before - count_lines(self.prologue)
    }

    /// Reads what is left, from the first of these parts on, on this thread.
    fn go_on_alone(&self, parts: Vec<Part>, shared: Shared<'_>, mut outlet: Outlet<'_>) -> Summary {
        let Shared { source, trouble } = shared;
        // Trouble may come before any part could be given.
        let first = parts.first();
        let is_first = first.map_or(!source.is_begun(), |part| part.is_first);
        let n_lines_before = first.map_or(source.n_lines(), |part| part.n_lines_before);
        let parts = Parts(parts.into_iter(), Cursor::default());
        let mut input = parts.chain(source.into_rest()).chain(Broken(trouble));
        let mut run = Run::new(self.options);
        let mut take = |ended| outlet.activity(ended);
        if is_first {
            run.read_to_end_of_input(
                &mut Reader::of_unzipped(&mut input as &mut dyn Read),
                &mut take,
            );
        } else {
            let shift = n_lines_before - count_lines(self.prologue);
            let mut input = self.prologue.chain(&mut input as &mut dyn Read);
            let mut reader = Reader::of_unzipped(&mut input as &mut dyn Read);
            // Where the root could not be gone on with, no part but the first was ever whole.
            run.resume(&mut reader, shift, &mut take);
            run.read_to_end_of_input(&mut reader, &mut take);
        }
        let (open, file, summary) = run.finish();
        outlet.part(Vec::new(), file, &summary);
        outlet.finish(open)
    }
}

/// Parts one after the other; each is given back once it was read.
struct Parts(std::vec::IntoIter<Part>, Cursor<Vec<u8>>);

impl Read for Parts {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.1.read(into)?;
            if n > 0 || into.is_empty() {
                return Ok(n);
            }
            match self.0.next() {
                Some(part) => self.1 = Cursor::new(part.into_bytes()),
                None => return Ok(0),
            }
        }
    }
}

/// Whether it may be taken, and what comes after it too.
fn is_next((part, outcome): &(Part, Outcome)) -> bool {
    !outcome.is_overfull && (outcome.is_whole || part.is_last)
}

/// Hands out memory, where anybody still waits for it.
fn give(to: Option<&SyncSender<Vec<u8>>>, memory: Vec<u8>) {
    if let Some(to) = to {
        // There is room for all there is; and a thread that has ended needs none.
        let _ended = to.try_send(memory);
    }
}

/// The next part, into this memory; `None`: there is none, or the input cannot be read on.
fn next_part(shared: &Mutex<Shared<'_>>, memory: Vec<u8>) -> Option<Part> {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.trouble.is_some() {
        return None;
    }
    match shared.source.next_part(memory) {
        Ok(part) => part,
        Err(error) => {
            shared.trouble = Some(error);
            None
        }
    }
}

impl Run<'_> {
    /// Reads up to the root's end tag, which was put there. Whether the part ends between two activities, and nothing
    /// comes after the root.
    fn read_to_closing<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        sink: &mut dyn FnMut(Ended),
    ) -> bool {
        loop {
            match self.advance(reader) {
                Ok(Token::End) if reader.depth() == 1 => {
                    return self.is_between_activities(reader)
                        && reader.advance().is_ok_and(|token| token == Token::Done)
                        && !reader.has_notices();
                }
                Ok(Token::Done) | Err(_) => return false,
                Ok(token) => self.token(token, reader, sink),
            }
        }
    }
}

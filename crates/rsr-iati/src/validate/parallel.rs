//! One large file on several threads.
//!
//! The file is cut after activities; each part is read with the start of the file put before it, so that it is a document
//! of its own. Groups come out in the order of the file. Where a part turns out not to end between two activities of the
//! root (another root inside, an extension after the activities, a cut inside a comment, broken XML), the rest of the file,
//! from that part on, is read on one thread: what comes out is always what [`validate`] gives.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::outlet::{Ended, Outlet};
use super::run::Run;
use super::source::{Part, Source, count_lines};
use super::{Group, Options, Summary, validate, validate_any};
use crate::xml::{Reader, Token};

/// Bytes of a part. It stays in the cache of the core that reads it.
const PART_BYTES: usize = 1 << 18;

const CLOSING: &[u8] = b"</iati-activities>";

/// Checks one file as [`validate`] does, on several threads. Groups come in the order of the file, on the caller's own.
///
/// Memory: for each thread that of [`validate`] and three parts of 256 KiB with their findings. With a ruleset of the
/// caller's the file is read on one thread, since its rules may look past an activity.
pub fn validate_parallel<R: Read>(
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
    input: &mut dyn Read,
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
    let prologue = match source.prologue() {
        Ok(Some(prologue)) => prologue,
        Ok(None) => {
            return validate_any(Reader::of_unzipped(&mut source.into_rest()), options, sink);
        }
        Err(error) => {
            let mut rest = source.into_rest().chain(Broken(Some(error)));
            return validate_any(Reader::of_unzipped(&mut rest), options, sink);
        }
    };
    Team {
        prologue: &prologue,
        options,
        n_threads,
    }
    .read(source, Outlet::new(options, sink))
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
}

type Job = (usize, Arc<Part>);
/// A part's number, and what became of it.
type Done = (usize, thread::Result<Outcome>);

struct Team<'t> {
    prologue: &'t [u8],
    options: &'t Options,
    n_threads: usize,
}

impl Team<'_> {
    fn read(&self, mut source: Source<'_>, mut outlet: Outlet<'_>) -> Summary {
        let in_flight_max = self.n_threads * 2;
        let (jobs, waiting) = sync_channel::<Job>(in_flight_max);
        let (results, done) = sync_channel::<Done>(in_flight_max);
        let waiting = Mutex::new(waiting);
        thread::scope(|scope| {
            // The threads end when it is dropped, which has to be before they are waited for.
            let jobs = jobs;
            for _ in 0..self.n_threads {
                let (waiting, results) = (&waiting, results.clone());
                scope.spawn(move || self.work(waiting, &results));
            }
            drop(results);
            // Parts that were given out, and their outcomes where they are there, in the order of the file.
            let mut parts: VecDeque<(Arc<Part>, Option<Outcome>)> = VecDeque::new();
            let (mut n_given, mut n_taken) = (0, 0);
            let mut trouble = None;
            let mut is_ended = false;
            loop {
                while parts.len() < in_flight_max && !is_ended {
                    match source.next_part() {
                        Ok(Some(part)) => {
                            let part = Arc::new(part);
                            // It fits: there is room for all that are in flight.
                            let given = jobs.send((n_given, Arc::clone(&part)));
                            debug_assert!(given.is_ok(), "the threads wait for work");
                            n_given += 1;
                            parts.push_back((part, None));
                        }
                        Ok(None) => is_ended = true,
                        Err(error) => {
                            trouble = Some(error);
                            is_ended = true;
                        }
                    }
                }
                while let Some(outcome) = parts.front_mut().and_then(|(_, outcome)| outcome.take())
                {
                    let Some((part, _)) = parts.pop_front() else {
                        break;
                    };
                    n_taken += 1;
                    if !outcome.is_whole && !part.is_last {
                        parts.push_front((part, None));
                        return self.go_on_alone(parts, source, trouble, outlet);
                    }
                    let is_last = part.is_last;
                    // Whoever read it is done with it.
                    if let Some(part) = Arc::into_inner(part) {
                        source.take_back(part);
                    }
                    outlet.part(outcome.activities, outcome.file, &outcome.summary);
                    if is_last {
                        return outlet.finish(outcome.open);
                    }
                }
                if parts.is_empty() {
                    if is_ended {
                        // Only trouble with the input ends without a last part.
                        return self.go_on_alone(parts, source, trouble, outlet);
                    }
                    // Nothing is on its way that could be waited for.
                    continue;
                }
                match done.recv() {
                    Ok((number, Ok(outcome))) => {
                        if let Some((_, slot)) = parts.get_mut(number - n_taken) {
                            *slot = Some(outcome);
                        }
                    }
                    // A fault in a thread is the caller's, who would else wait for a part that nobody reads.
                    Ok((_, Err(fault))) => resume_unwind(fault),
                    Err(_) => {
                        unreachable!("threads end after `jobs` does, and hand every fault on")
                    }
                }
            }
        })
    }

    fn work(&self, waiting: &Mutex<Receiver<Job>>, results: &SyncSender<Done>) {
        loop {
            let job = waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            let Ok((number, part)) = job else { return };
            let outcome = catch_unwind(AssertUnwindSafe(|| self.outcome(&part)));
            // Its memory is used again as soon as the outcome is there.
            drop(part);
            if results.send((number, outcome)).is_err() {
                return;
            }
        }
    }

    /// Reads one part.
    fn outcome(&self, part: &Part) -> Outcome {
        let prologue = if part.is_first {
            &[][..]
        } else {
            self.prologue
        };
        let closing = if part.is_last { &[][..] } else { CLOSING };
        let mut input = prologue.chain(part.bytes()).chain(closing);
        let mut reader = Reader::of_unzipped(&mut input as &mut dyn Read);
        let mut run = Run::new(self.options);
        let mut activities = Vec::new();
        let mut keep = |ended| activities.push(ended);
        let mut is_whole =
            part.is_first || run.resume(&mut reader, self.line_shift(part), &mut keep);
        if part.is_last {
            run.read_to_end_of_input(&mut reader, &mut keep);
        } else {
            is_whole &= run.read_to_closing(&mut reader, &mut keep);
        }
        let (open, file, summary) = run.finish();
        Outcome {
            activities,
            open,
            file,
            summary,
            is_whole,
        }
    }

    /// How many lines later in the file a part stands than behind the prologue.
    fn line_shift(&self, part: &Part) -> u64 {
        part.n_lines_before - count_lines(self.prologue)
    }

    /// Reads what is left, from the first of these parts on, on this thread.
    fn go_on_alone(
        &self,
        parts: VecDeque<(Arc<Part>, Option<Outcome>)>,
        source: Source<'_>,
        trouble: Option<io::Error>,
        mut outlet: Outlet<'_>,
    ) -> Summary {
        let first = parts.front().map(|(part, _)| Arc::clone(part));
        let mut input: Box<dyn Read> = Box::new(io::empty());
        for (part, _) in parts {
            input = Box::new(input.chain(Shared { part, at: 0 }));
        }
        let n_lines_before = source.n_lines();
        // Trouble may come before any part could be given.
        let is_first = first
            .as_ref()
            .map_or(!source.is_begun(), |part| part.is_first);
        let mut input = input.chain(source.into_rest()).chain(Broken(trouble));
        let mut run = Run::new(self.options);
        let mut take = |ended| outlet.activity(ended);
        if is_first {
            run.read_to_end_of_input(
                &mut Reader::of_unzipped(&mut input as &mut dyn Read),
                &mut take,
            );
        } else {
            let before = first.map_or(n_lines_before, |part| part.n_lines_before);
            let shift = before - count_lines(self.prologue);
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

/// The bytes of a part that a thread may still be reading.
struct Shared {
    part: Arc<Part>,
    at: usize,
}

impl Read for Shared {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.part.bytes().get(self.at..).unwrap_or_default();
        let n = rest.read(into)?;
        self.at += n;
        Ok(n)
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

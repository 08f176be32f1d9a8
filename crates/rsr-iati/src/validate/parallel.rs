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

/// Parts of each thread that are being read or wait for an earlier one.
const PARTS_AHEAD: usize = 2;

/// A part with more to say, in bytes, is read again on one thread, which holds what is found in one activity at a time.
const HELD_MAX: usize = PART_BYTES;

/// More threads than this would wait for the one that reads.
const THREADS_MAX: usize = 64;

/// Memory of parts that is larger is given back: an unusual activity was in it.
const MEMORY_MAX: usize = 2 * PART_BYTES;

/// Checks one file as [`validate`] does, on the caller's thread and others. Groups come in the order of the file, on the
/// caller's own between two parts of its own.
///
/// Memory: for each thread that of [`validate`], and two parts of 512 KiB with what comes before the first activity and up
/// to 512 KiB of what was found; for as long as there are larger activities, parts of up to 1 MiB. From an activity on that is
/// larger or that is not one of the root's, and from a part on in which more is found, the file is read on one thread; so it is
/// with a ruleset of the caller's, whose rules may look past an activity. More than 64 threads are not used.
pub fn validate_parallel<R: Read + Send>(
    mut input: R,
    options: &Options,
    n_threads: NonZero<usize>,
    sink: &mut dyn FnMut(Group),
) -> Summary {
    if n_threads.get() == 1 || options.ruleset.is_some() {
        return validate(input, options, sink);
    }
    let n_threads = n_threads.get().min(THREADS_MAX);
    in_parts(&mut input, options, n_threads, PART_BYTES, sink)
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
    /// More was found in it than is held, and it is of no use.
    is_overfull: bool,
}

/// A part that was read.
struct Done {
    part: Part,
    outcome: Outcome,
    /// Whose memory it is in: the number of a helper, from 0 on; `None`: the leader's.
    helper: Option<usize>,
}

impl Done {
    /// Whether it may be taken, and what comes after it too.
    fn is_sound(&self) -> bool {
        !self.outcome.is_overfull && (self.outcome.is_whole || self.part.is_last)
    }
}

/// What the threads share.
struct Shared<'r> {
    source: Source<'r>,
    /// Why the input could not be read on.
    trouble: Option<io::Error>,
}

/// What was read, on its way out in the order of the file.
struct Queue<'s> {
    outlet: Outlet<'s>,
    /// What is not taken yet, from `n_taken` on.
    parts: VecDeque<Option<Done>>,
    n_taken: usize,
    /// What was open at the end of the file, once that was taken.
    end: Option<Ended>,
    /// Memory for a part each: who has some may read one. It goes back to the thread it came from, whose core has it near.
    own: Vec<Vec<u8>>,
    /// That of the others, who end when this is dropped.
    helpers: Vec<SyncSender<Vec<u8>>>,
}

impl Queue<'_> {
    /// Takes in a part, and out all that can be.
    fn put(&mut self, done: Done) {
        let place = done.part.number - self.n_taken;
        while self.parts.len() <= place {
            self.parts.push_back(None);
        }
        if let Some(slot) = self.parts.get_mut(place) {
            *slot = Some(done);
        }
        let is_sound = |part: &mut Option<Done>| part.as_ref().is_some_and(Done::is_sound);
        while let Some(done) = self.parts.pop_front_if(is_sound).flatten() {
            self.take(done);
        }
        // What comes after a part that is not sound is read again, behind it.
        if let Some(Some(_)) = self.parts.front() {
            self.own.clear();
            self.helpers.clear();
        }
    }

    fn take(&mut self, done: Done) {
        self.n_taken += 1;
        let outcome = done.outcome;
        self.outlet
            .part(outcome.activities, outcome.file, &outcome.summary);
        if done.part.is_last {
            self.end = Some(outcome.open);
        }
        let mut memory = done.part.document;
        if memory.capacity() > MEMORY_MAX {
            memory = Vec::new();
        }
        match done.helper {
            None => self.own.push(memory),
            Some(helper) => {
                if let Some(helper) = self.helpers.get(helper) {
                    // There is room for all there is; and a thread that has ended needs none.
                    let _ended = helper.try_send(memory);
                }
            }
        }
    }
}

struct Team<'t> {
    prologue: &'t [u8],
    options: &'t Options,
    n_threads: usize,
}

impl Team<'_> {
    fn read(&self, source: Source<'_>, outlet: Outlet<'_>) -> Summary {
        let shared = Mutex::new(Shared {
            source,
            trouble: None,
        });
        let queue = thread::scope(|scope| {
            let (results, done) = sync_channel(self.n_threads * PARTS_AHEAD);
            // It is dropped when the caller's sink panics, and all helpers end.
            let mut queue = Queue {
                outlet,
                parts: VecDeque::new(),
                n_taken: 0,
                end: None,
                own: vec![Vec::new(); PARTS_AHEAD],
                helpers: Vec::new(),
            };
            for helper in 0..self.n_threads - 1 {
                let (memory, waiting) = sync_channel(PARTS_AHEAD);
                for _ in 0..PARTS_AHEAD {
                    let _has_room = memory.try_send(Vec::new());
                }
                queue.helpers.push(memory);
                let (shared, results) = (&shared, results.clone());
                let help = move || self.help(helper, &waiting, shared, &results);
                // Where the system has no thread to give, those that are there do the work.
                if thread::Builder::new().spawn_scoped(scope, help).is_err() {
                    queue.helpers.pop();
                    break;
                }
            }
            drop(results);
            self.lead(&shared, &done, &mut queue);
            queue
        });
        match queue.end {
            Some(open) => queue.outlet.finish(open),
            None => {
                let shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
                let parts = queue.parts.into_iter().flatten().map(|done| done.part);
                self.go_on_alone(parts.collect(), shared, queue.outlet)
            }
        }
    }

    /// Reads parts as the helpers do, and takes what all have read; a thread more for that would take turns with them.
    fn lead(
        &self,
        shared: &Mutex<Shared<'_>>,
        done: &Receiver<thread::Result<Done>>,
        queue: &mut Queue<'_>,
    ) {
        // A fault in a helper is the caller's.
        let sound =
            |result: thread::Result<Done>| result.unwrap_or_else(|fault| resume_unwind(fault));
        let mut run = Run::new(self.options);
        let mut has_more = true;
        loop {
            while let Ok(result) = done.try_recv() {
                queue.put(sound(result));
            }
            if let Some(memory) = queue.own.pop().filter(|_| has_more) {
                match next_part(shared, memory) {
                    Some(part) => queue.put(self.outcome(part, None, &mut run)),
                    None => has_more = false,
                }
            } else if let Ok(result) = done.recv() {
                queue.put(sound(result));
            } else {
                // All helpers have ended.
                return;
            }
        }
    }

    /// Reads parts for as long as there is memory and anything to read.
    fn help(
        &self,
        helper: usize,
        waiting: &Receiver<Vec<u8>>,
        shared: &Mutex<Shared<'_>>,
        results: &SyncSender<thread::Result<Done>>,
    ) {
        let mut run = Run::new(self.options);
        while let Ok(memory) = waiting.recv() {
            let read = catch_unwind(AssertUnwindSafe(|| {
                let part = next_part(shared, memory)?;
                Some(self.outcome(part, Some(helper), &mut run))
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
    fn outcome(&self, mut part: Part, helper: Option<usize>, run: &mut Run<'_>) -> Done {
        run.restart();
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
        Done {
            part,
            outcome,
            helper,
        }
    }

    fn outcome_of(
        &self,
        reader: &mut Reader<&mut dyn Read>,
        part: &Part,
        run: &mut Run<'_>,
    ) -> Outcome {
        let mut activities = Vec::new();
        let mut keep = |ended: Ended| {
            if ended.is_of_interest() {
                activities.push(ended);
            }
        };
        let mut is_whole = part.is_first || run.resume(reader, self.line_shift(part), &mut keep);
        if part.is_last {
            run.read_to_end_of_input(reader, HELD_MAX, &mut keep);
        } else {
            is_whole &= run.read_to_closing(reader, HELD_MAX, &mut keep);
        }
        let is_overfull = run.n_held_bytes() > HELD_MAX;
        let (mut open, mut file, summary) = run.finish();
        if is_overfull {
            (activities, open, file) = (Vec::new(), Ended::default(), Ended::default());
        }
        Outcome {
            activities,
            open,
            file,
            summary,
            is_whole,
            is_overfull,
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
            let mut reader = Reader::of_unzipped(&mut input as &mut dyn Read);
            run.read_to_end_of_input(&mut reader, usize::MAX, &mut take);
        } else {
            let shift = n_lines_before - count_lines(self.prologue);
            let mut input = self.prologue.chain(&mut input as &mut dyn Read);
            let mut reader = Reader::of_unzipped(&mut input as &mut dyn Read);
            // Where the root could not be gone on with, no part but the first was ever whole.
            run.resume(&mut reader, shift, &mut take);
            run.read_to_end_of_input(&mut reader, usize::MAX, &mut take);
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
        held_max: usize,
        sink: &mut dyn FnMut(Ended),
    ) -> bool {
        while self.n_held_bytes() <= held_max {
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
        false
    }
}

//! Files of activities into the database.
//!
//! Activities are read element by element. Each is held until its end, its elements beyond a bound in a temporary table, so
//! that nothing is written of one that turns out to be broken, old or unchanged. Activities are kept in
//! transactions of a chunk each, and between two chunks anybody else may write who waits for it.

mod ahead;
mod draft;
mod keep;
mod link;
mod link_results;
mod oddities;
mod report;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rsr_base::{ByteSize, Reservation};
use rsr_iati::reader::{ActivityReader, Counts, Finding, ReadError, ReadOptions, Severity};
use rsr_iati::schema::FragmentChecker;
use rsr_iati::xml::Position;
use rsr_settings::IatiSettings;

pub use report::{CutShort, FileReport, ImportNote, LinkReport};

use crate::error::Error;
use crate::sql::{Table, params};
use crate::store::Store;
use crate::tx::Tx;
use ahead::{Next, Read, Steps};
use draft::Draft;
use keep::{Kept, Recent};

const FILES: Table = Table {
    name: "import_files",
    level: 1,
    columns: &[
        "run_id",
        "file",
        "n_read",
        "n_kept",
        "n_skipped",
        "n_findings",
        "cut_short",
    ],
};

/// Most bytes of fragments in one transaction, besides the number of activities the settings give.
const CHUNK_BYTES_MAX: ByteSize = ByteSize::from_mib(8);

/// What an import takes beside the activity at hand: the reader's window, the statements, what was met lately.
const IMPORT_BYTES: ByteSize = ByteSize::from_mib(4);

/// What it takes besides where a server keeps the database: a batch that is read ahead, as values and as fragments, rows that
/// wait and rows that are on their way.
const REMOTE_BYTES: ByteSize = ByteSize::from_mib(12);

/// An element is held as a typed value and as its fragment; the statement that writes it holds it again, and so does what
/// checks it. The first two are there when the reservation is asked for, the others are not yet.
const COPIES: u64 = 4;

/// Takes files in, one after the other; [`Importer::finish`] links them.
///
/// Importing the same files again changes nothing: an activity whose content is the stored one is left alone.
#[derive(Debug)]
pub struct Importer {
    store: Store,
    settings: IatiSettings,
    run: i64,
    n_files: i64,
    checker: FragmentChecker,
    /// What it takes with no activity at hand.
    base: ByteSize,
    /// The same, and what the activity at hand may hold.
    reserved: Reservation,
    is_more_expected: bool,
    /// What the file before left open for the next one.
    open: Chunk,
    n_files_kept: usize,
}

/// Who hears what an import comes upon.
pub(crate) type Hear<'h> = &'h mut dyn FnMut(ImportNote<'_>);

/// A transaction and what was put into it.
#[derive(Debug, Default)]
struct Chunk {
    tx: Option<Tx>,
    n_activities: usize,
    n_bytes: u64,
    kept: Kept,
    /// What came of the chunks before whose commit may be under way.
    behind: VecDeque<Behind>,
    recent: Recent,
}

#[derive(Debug)]
struct Behind {
    kept: Kept,
    /// Whether the report of its file has it.
    is_told: bool,
    /// Whether it is the last of its file.
    is_end: bool,
}

/// A file while it is taken in.
#[derive(Debug)]
struct Incoming {
    report: FileReport,
    chunk: Chunk,
    draft: Draft,
    strict: bool,
}

impl Chunk {
    /// Lets what came of it wait for its commit to be seen. The report of a file has what came of its last chunk already.
    fn put_behind(&mut self, is_end: bool) {
        self.behind.push_back(Behind {
            kept: std::mem::take(&mut self.kept),
            is_told: is_end,
            is_end,
        });
    }
}

impl Store {
    /// Begins an import.
    ///
    /// # Errors
    ///
    /// As [`Store::begin`]; [`Error::OverBudget`].
    pub fn importer(&self, settings: &IatiSettings) -> Result<Importer, Error> {
        let base = match self.file() {
            Some(_) => IMPORT_BYTES,
            None => IMPORT_BYTES + REMOTE_BYTES,
        };
        let reserved = self.budgets.imports.try_reserve(base)?;
        let run = self.write(|tx| {
            tx.db().number(
                "INSERT INTO import_runs (started_ms) VALUES (?1) RETURNING id",
                params![tx.now_ms()],
            )
        })?;
        Ok(Importer {
            store: self.clone(),
            settings: settings.clone(),
            run,
            n_files: 0,
            checker: FragmentChecker::new(),
            base,
            reserved,
            is_more_expected: false,
            open: Chunk::default(),
            n_files_kept: 0,
        })
    }
}

impl Importer {
    /// Says whether other files follow the next one at once, as they do in a list.
    ///
    /// Where a server keeps the database, the end of such a file is not waited for, unless nobody would go on: it was
    /// cancelled, or cut short when read strictly. Its [`FileReport::kept`] counts what is on the way to the database. What is
    /// wrong with that is told by [`Importer::settle`] or whatever is called next, and [`Importer::n_files_kept`] says
    /// which files are in the database. Half a second without a call and others may write; the store lends its connection for
    /// writing to no one until the next call of [`Importer::settle`], [`Importer::finish`] or, with nothing expected after
    /// it, [`Importer::file`]. Nothing changes where the database is a file.
    pub fn expect_more(&mut self, is_more_expected: bool) {
        self.is_more_expected = is_more_expected;
    }

    /// How many files are in the database, the first of those that were taken in: they are kept in their order. Of a server
    /// that broke down the last second may be missing. After an error an importer tells this, and can do no more.
    #[must_use]
    pub fn n_files_kept(&self) -> usize {
        self.n_files_kept
    }

    /// Waits for the end of the files before, where that was left behind.
    ///
    /// # Errors
    ///
    /// As [`Importer::file`], of any file that is not among the [`Importer::n_files_kept`] first ones.
    pub fn settle(&mut self) -> Result<(), Error> {
        let mut open = std::mem::take(&mut self.open);
        let is_open = self.wake(&mut open)?;
        if is_open {
            self.commit_now(&mut open, None, false)?;
        }
        Ok(())
    }

    /// Takes one file in. `name` is how reports call it; `cancel` is looked at before each activity and leaves whole
    /// activities behind.
    ///
    /// Memory does not grow with the file or its activities but with the largest element.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], [`Error::Locked`], [`Error::DiskFull`], [`Error::Io`], [`Error::ConnectionLost`]: the chunks before
    /// are kept, the one at hand is not, and with a server maybe not the latest before it, whose ends are not waited for; where
    /// the server itself broke down, maybe none of its last second. So too [`Error::OverBudget`], where an element is larger
    /// than memory is left. What is wrong with the file is no error of this kind: see [`FileReport::cut_short`].
    pub fn file(
        &mut self,
        name: &str,
        source: impl io::Read + Send,
        strict: bool,
        cancel: &AtomicBool,
        hear: Hear<'_>,
    ) -> Result<FileReport, Error> {
        self.n_files += 1;
        let mut open = std::mem::take(&mut self.open);
        self.wake(&mut open)?;
        let mut options = ReadOptions::default();
        options.strict = strict;
        options.limits.field_bytes = self.settings.max_field_bytes.as_usize();
        let mut reader = ActivityReader::with_options(source, &options);
        let mut file = Incoming {
            report: FileReport::new(name),
            chunk: open,
            draft: Draft::default(),
            strict,
        };
        let is_remote = self.store.file().is_none();
        let ahead = thread::scope(|scope| {
            let steps = is_remote.then(|| Steps::ahead(&mut reader, scope))?;
            let taken = self.take(&mut file, steps.ok()?, cancel, hear);
            // The source may be long in answering its thread, and others wait to write.
            Some(taken.or_else(|error| self.give_up(&mut file.chunk, error)))
        });
        match ahead {
            Some(taken) => taken?,
            None => self
                .take(&mut file, Steps::Here(&mut reader), cancel, hear)
                .or_else(|error| self.give_up(&mut file.chunk, error))?,
        }
        self.open = file.chunk;
        Ok(file.report)
    }

    /// Takes in what a file has, step by step.
    fn take(
        &mut self,
        file: &mut Incoming,
        mut steps: Steps<'_, '_>,
        cancel: &AtomicBool,
        hear: Hear<'_>,
    ) -> Result<(), Error> {
        let mut counts = Counts::default();
        let mut line = Position::START.line;
        let Incoming {
            report,
            chunk,
            draft,
            strict,
        } = file;
        report.cut_short = loop {
            if cancel.load(Ordering::Relaxed) {
                break Some(CutShort::Cancelled { line });
            }
            let step = match steps.next() {
                Next::Step(step) => step,
                Next::Silent => {
                    // Others may write meanwhile. What is spilled goes with the transaction.
                    if !draft.is_spilled() {
                        self.commit_now(chunk, Some(report), false)?;
                    }
                    continue;
                }
                Next::Broken => {
                    return Err(Error::Io {
                        reason: "the thread that reads the file broke".to_owned(),
                    });
                }
            };
            let coming = steps.coming();
            if !coming.is_empty() {
                let (tx, recent) = self.open(chunk)?;
                recent.ask(tx.db(), &coming, self.run)?;
            }
            (counts, line) = (step.counts, step.line);
            report.kind = step.kind;
            for finding in step.findings {
                hear(ImportNote::Finding {
                    file: &report.file,
                    finding: &finding,
                });
            }
            match step.read {
                Read::Start(head, position) => draft.start(head, position),
                Read::Element(element, xml, position) => {
                    let is_much = draft.push(element, xml, position);
                    let held = draft.n_held_bytes().saturating_mul(COPIES);
                    let held = self.base + ByteSize::from_bytes(held);
                    self.reserved.try_grow_to(held)?;
                    if is_much {
                        let (tx, _recent) = self.open(chunk)?;
                        draft.spill(tx.db())?;
                        self.reserved.shrink_to(self.base);
                    }
                }
                Read::End => {
                    let worst = self.keep(draft, chunk, report, hear)?;
                    if let Some(finding) = worst.filter(|_| *strict) {
                        break Some(CutShort::Unreadable(ReadError::Strict(Box::new(finding))));
                    }
                }
                Read::Skipped(finding) => {
                    draft.forget();
                    hear(ImportNote::Skipped {
                        file: &report.file,
                        finding: &finding,
                    });
                }
                Read::FileEnd => break None,
                Read::Error(error) => break Some(CutShort::Unreadable(error)),
            }
        };
        self.close(chunk, report, counts, *strict)
    }

    /// Links what was taken in: parents, indicators and periods, dimension values, then the positions in the tree; queues the
    /// periods whose sums change. All in one transaction.
    ///
    /// # Errors
    ///
    /// As [`Importer::file`]; a later import links what this one did not.
    pub fn finish(mut self, hear: Hear<'_>) -> Result<LinkReport, Error> {
        self.settle()?;
        let mut tx = self.store.begin()?;
        let report = link::link(&mut tx, self.run, hear)?;
        tx.db().execute(
            "UPDATE import_runs SET finished_ms = CASE WHEN id = ?1 THEN CAST(?2 AS BIGINT) ELSE finished_ms END,
                 is_linked = 1 WHERE id = ?1 OR (id < ?1 AND is_linked = 0)",
            params![self.run, tx.now_ms()],
        )?;
        keep::drop_seen(tx.db(), self.run, tx.now_ms())?;
        tx.commit()?;
        Ok(report)
    }

    /// The transaction of the chunk at hand, begun where there is none, and what was met in it.
    fn open<'c>(&self, chunk: &'c mut Chunk) -> Result<(&'c mut Tx, &'c mut Recent), Error> {
        if chunk.tx.is_none() {
            let tx = self.store.begin()?;
            keep::prepare(tx.db())?;
            chunk.tx = Some(tx);
        }
        let tx = chunk.tx.as_mut().expect("it was begun just above");
        Ok((tx, &mut chunk.recent))
    }

    /// Keeps a complete activity, or says why not. Answers the finding that strict reading stops at.
    fn keep(
        &mut self,
        draft: &mut Draft,
        chunk: &mut Chunk,
        report: &mut FileReport,
        hear: Hear<'_>,
    ) -> Result<Option<Finding>, Error> {
        let mut findings = Vec::new();
        let (run, file) = (self.run, self.n_files);
        let (tx, recent) = self.open(chunk)?;
        let stamp = keep::Stamp {
            run,
            file,
            now_ms: tx.now_ms(),
        };
        let kept = keep::activity(tx, draft, &stamp, recent, &mut self.checker, &mut findings)?;
        if kept.unchanged > 0 {
            keep::retell(tx.db(), draft, &mut self.checker, &mut findings)?;
        }
        let n_bytes = draft.n_bytes();
        draft.clear(tx.db())?;
        chunk.n_bytes += n_bytes;
        chunk.n_activities += 1;
        chunk.kept.add(&kept);
        self.reserved.shrink_to(self.base);
        let is_full = chunk.n_activities >= self.settings.import_chunk_size
            || chunk.n_bytes >= CHUNK_BYTES_MAX.bytes();
        if is_full {
            self.commit(chunk, report, false)?;
            hear(ImportNote::Progress {
                file: &report.file,
                kept: report.kept,
            });
        }
        let mut worst = None;
        for finding in findings {
            report.n_findings += finding.count;
            hear(match kept.kept {
                0 => ImportNote::Skipped {
                    file: &report.file,
                    finding: &finding,
                },
                _ => ImportNote::Finding {
                    file: &report.file,
                    finding: &finding,
                },
            });
            if finding.severity == Severity::Error {
                worst.get_or_insert(finding);
            }
        }
        Ok(worst)
    }

    /// Keeps a chunk: behind the next one where that can be.
    fn commit(
        &mut self,
        chunk: &mut Chunk,
        report: &mut FileReport,
        is_end: bool,
    ) -> Result<(), Error> {
        let n_unseen = match &mut chunk.tx {
            Some(tx) if !chunk.recent.is_large() => tx.commit_behind(self.store.now_ms())?,
            _ => None,
        };
        let Some(n_unseen) = n_unseen else {
            return self.commit_now(chunk, Some(report), is_end);
        };
        chunk.put_behind(is_end);
        self.count(chunk, n_unseen, Some(report));
        chunk.recent.pass(n_unseen);
        chunk.n_activities = 0;
        chunk.n_bytes = 0;
        match &chunk.tx {
            // Nobody would let others write while it is long until the next file.
            Some(tx) if is_end && !tx.rest() => self.commit_now(chunk, Some(report), false),
            _ => Ok(()),
        }
    }

    /// Keeps a chunk, with those before it, and lets others write.
    fn commit_now(
        &mut self,
        chunk: &mut Chunk,
        report: Option<&mut FileReport>,
        is_end: bool,
    ) -> Result<(), Error> {
        let mut chunk = std::mem::take(chunk);
        if let Some(tx) = chunk.tx.take() {
            let waited = tx.wait_behind();
            let n_unseen = tx.n_unseen();
            if let Err(error) = waited.and_then(|()| tx.commit()) {
                self.count_after(&mut chunk, n_unseen, &error);
                return Err(error);
            }
        }
        chunk.put_behind(is_end);
        self.count(&mut chunk, 0, report);
        Ok(())
    }

    /// Gives a chunk up after an error, and waits for those before it: what is wrong with these came first.
    fn give_up(&mut self, chunk: &mut Chunk, error: Error) -> Result<(), Error> {
        let mut chunk = std::mem::take(chunk);
        if let Some(tx) = chunk.tx.take() {
            let waited = tx.wait_behind();
            let first = waited.as_ref().err().unwrap_or(&error);
            self.count_after(&mut chunk, tx.n_unseen(), first);
            if let Err(first) = waited {
                tracing::debug!(%error, "another error came first");
                return Err(first);
            }
        }
        Err(error)
    }

    /// Ends the rest of a chunk that was left open at a file's end. Answers whether it is open still.
    fn wake(&mut self, chunk: &mut Chunk) -> Result<bool, Error> {
        let Some(tx) = &chunk.tx else {
            return Ok(false);
        };
        let is_open = tx.end_rest();
        match &is_open {
            Ok(true) => {}
            Ok(false) => self.count(chunk, 0, None),
            Err(error) => {
                let n_unseen = tx.n_unseen();
                self.count_after(chunk, n_unseen, error);
            }
        }
        if !matches!(is_open, Ok(true)) {
            *chunk = Chunk::default();
        }
        is_open
    }

    /// Counts what is in the database after an error. A server that broke down may have lost the latest.
    fn count_after(&mut self, chunk: &mut Chunk, n_unseen: usize, error: &Error) {
        if !matches!(
            error,
            Error::ConnectionLost { .. } | Error::Uncertain { .. }
        ) {
            self.count(chunk, n_unseen, None);
        }
    }

    /// Counts what is in the database: all but the latest `n_unseen` that were put behind.
    fn count(&mut self, chunk: &mut Chunk, n_unseen: usize, mut report: Option<&mut FileReport>) {
        while chunk.behind.len() > n_unseen
            && let Some(behind) = chunk.behind.pop_front()
        {
            self.n_files_kept += usize::from(behind.is_end);
            if let Some(report) = report.as_mut().filter(|_report| !behind.is_told) {
                report.take(&behind.kept);
            }
        }
    }

    /// Keeps what is left of a file, and what is known of it: both or neither.
    fn close(
        &mut self,
        chunk: &mut Chunk,
        report: &mut FileReport,
        counts: Counts,
        is_strict: bool,
    ) -> Result<(), Error> {
        for behind in &mut chunk.behind {
            if !std::mem::replace(&mut behind.is_told, true) {
                report.take(&behind.kept);
            }
        }
        report.take(&chunk.kept);
        report.read = counts.n_read;
        report.skipped = report.read.saturating_sub(report.kept);
        report.n_findings += counts.n_findings;
        let (tx, _recent) = self.open(chunk)?;
        note_file(tx, self.run, report)?;
        let is_last = is_strict && report.cut_short.is_some()
            || matches!(report.cut_short, Some(CutShort::Cancelled { .. }));
        if self.is_more_expected && !is_last {
            self.commit(chunk, report, true)
        } else {
            self.commit_now(chunk, Some(report), true)
        }
    }
}

fn note_file(tx: &Tx, run: i64, report: &FileReport) -> Result<(), Error> {
    let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let cut_short = report.cut_short.as_ref().map(ToString::to_string);
    tx.db().put(
        &FILES,
        params![
            run,
            &report.file,
            int(report.read),
            int(report.kept),
            int(report.skipped),
            int(report.n_findings),
            cut_short.as_deref()
        ],
    )
}

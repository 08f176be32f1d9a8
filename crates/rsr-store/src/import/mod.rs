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
use crate::sql::params;
use crate::store::Store;
use crate::tx::Tx;
use ahead::{Read, Steps};
use draft::Draft;
use keep::{Kept, Recent};

/// Most bytes of fragments in one transaction, besides the number of activities the settings give.
const CHUNK_BYTES_MAX: ByteSize = ByteSize::from_mib(8);

/// What an import takes beside the activity at hand: the reader's window, the statements, what was met lately.
const IMPORT_BYTES: ByteSize = ByteSize::from_mib(4);

/// What it takes besides where a server keeps the database: a batch that is read ahead, as values and as fragments, rows that
/// wait and rows that are on their way.
const REMOTE_BYTES: ByteSize = ByteSize::from_mib(4);

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
    /// What came of the chunk before, whose commit may be under way.
    behind: Kept,
    recent: Recent,
}

/// A file while it is taken in.
#[derive(Debug)]
struct Incoming {
    report: FileReport,
    chunk: Chunk,
    draft: Draft,
    strict: bool,
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
        })
    }
}

impl Importer {
    /// Takes one file in. `name` is how reports call it; `cancel` is looked at before each activity and leaves whole
    /// activities behind.
    ///
    /// Memory does not grow with the file or its activities but with the largest element.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], [`Error::Locked`], [`Error::DiskFull`], [`Error::Io`], [`Error::ConnectionLost`]: the chunks before
    /// are kept, the one at hand is not, and with a server maybe not the one before it, whose end is not waited for; where
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
        let mut options = ReadOptions::default();
        options.strict = strict;
        options.limits.field_bytes = self.settings.max_field_bytes.as_usize();
        let mut reader = ActivityReader::with_options(source, &options);
        let mut file = Incoming {
            report: FileReport::new(name),
            chunk: Chunk::default(),
            draft: Draft::default(),
            strict,
        };
        let is_remote = self.store.file().is_none();
        let ahead = thread::scope(|scope| {
            let steps = is_remote.then(|| Steps::ahead(&mut reader, scope))?;
            let taken = self.take(&mut file, steps.ok()?, cancel, hear);
            if taken.is_err() {
                // The source may be long in answering its thread, and others wait to write.
                file.chunk = Chunk::default();
            }
            Some(taken)
        });
        match ahead {
            Some(taken) => taken?,
            None => self.take(&mut file, Steps::Here(&mut reader), cancel, hear)?,
        }
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
            let Some(step) = steps.next() else {
                return Err(Error::Io {
                    reason: "the thread that reads the file broke".to_owned(),
                });
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
                    hear(ImportNote::Skipped {
                        file: &report.file,
                        finding: &finding,
                    });
                }
                Read::FileEnd => break None,
                Read::Error(error) => break Some(CutShort::Unreadable(error)),
            }
        };
        self.close(chunk, report, counts)
    }

    /// Links what was taken in: parents, indicators and periods, dimension values, then the positions in the tree; queues the
    /// periods whose sums change. All in one transaction.
    ///
    /// # Errors
    ///
    /// As [`Importer::file`]; a later import links what this one did not.
    pub fn finish(self, hear: Hear<'_>) -> Result<LinkReport, Error> {
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
            self.commit(chunk, report)?;
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
    fn commit(&self, chunk: &mut Chunk, report: &mut FileReport) -> Result<(), Error> {
        if let Some(tx) = &mut chunk.tx
            && tx.commit_behind(self.store.now_ms())?
        {
            report.take(&std::mem::replace(
                &mut chunk.behind,
                std::mem::take(&mut chunk.kept),
            ));
            chunk.recent.pass();
            chunk.n_activities = 0;
            chunk.n_bytes = 0;
            return Ok(());
        }
        let chunk = std::mem::take(chunk);
        if let Some(tx) = chunk.tx {
            tx.commit()?;
        }
        report.take(&chunk.behind);
        report.take(&chunk.kept);
        Ok(())
    }

    /// Keeps what is left of a file, and what is known of it: both or neither.
    fn close(
        &self,
        chunk: &mut Chunk,
        report: &mut FileReport,
        counts: Counts,
    ) -> Result<(), Error> {
        let chunk = std::mem::take(chunk);
        let tx = match chunk.tx {
            Some(tx) => tx,
            None => self.store.begin()?,
        };
        report.take(&chunk.behind);
        report.take(&chunk.kept);
        report.read = counts.n_read;
        report.skipped = report.read.saturating_sub(report.kept);
        report.n_findings += counts.n_findings;
        note_file(&tx, self.run, report)?;
        tx.commit()
    }
}

fn note_file(tx: &Tx, run: i64, report: &FileReport) -> Result<(), Error> {
    let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let cut_short = report.cut_short.as_ref().map(ToString::to_string);
    tx.db().execute(
        "INSERT INTO import_files (run_id, file, n_read, n_kept, n_skipped, n_findings, cut_short)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            run,
            &report.file,
            int(report.read),
            int(report.kept),
            int(report.skipped),
            int(report.n_findings),
            cut_short.as_deref()
        ],
    )?;
    Ok(())
}

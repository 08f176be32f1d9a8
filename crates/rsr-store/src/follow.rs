//! Hearing what other machines write, as they write it.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use rsr_base::SharedClock;

use crate::error::Error;
use crate::sql::meeting::Listening;
use crate::store::{Inner, Store};

/// Longest time between two questions whether everything that was written was heard of.
const BEAT: Duration = Duration::from_millis(250);
/// Time from such a question until its answer no longer counts.
const TRUST: Duration = Duration::from_millis(750);
/// Silence after the trust ended from which on the server counts as one that does not answer.
const SILENT: Duration = Duration::from_secs(2);
/// Wait before a listener that was lost is replaced once more.
const PAUSE: Duration = Duration::from_millis(250);

/// What is new since the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct News {
    /// Somebody wrote, or may have written while nobody listened here.
    pub has_changed: bool,
    /// A job was queued, or may have been: time to look at the queue.
    pub has_queued: bool,
    /// A deletion began or ended on some machine, or may have.
    pub is_deleting: bool,
}

impl News {
    /// All that may have been missed.
    const UNKNOWN: Self = Self {
        has_changed: true,
        has_queued: true,
        is_deleting: true,
    };
}

/// Follows what other machines write until this is dropped; its thread ends within a beat.
#[must_use = "nothing is heard any more when this is dropped"]
pub struct Following {
    signal: Arc<Signal>,
}

#[derive(Default)]
struct Signal {
    is_stopping: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_stopping
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, but not where it is time to stop.
    fn pause(&self) {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), PAUSE, |is_stopping| !*is_stopping);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Store {
    /// Starts a thread that listens to what all machines write, where the engine has several; `None` for SQLite, whose
    /// version is cheap to ask for.
    ///
    /// While it listens, [`Store::version`] is answered from memory. `each_beat` is called with what is new, at once where
    /// there is something and four times a second where there is nothing; it must not panic, and what it does keeps the
    /// thread from listening.
    ///
    /// A write of another machine is heard of when it is committed. Where a connection is lost, or the server no longer
    /// answers, the version is asked for each time until one listens again, and is then another one: what was kept before
    /// the gap is not served after it. At worst, where a connection dies in silence, an old version is answered for three
    /// quarters of a second.
    ///
    /// # Errors
    ///
    /// Where the system has no thread to give.
    pub fn follow(
        &self,
        mut each_beat: impl FnMut(News) + Send + 'static,
    ) -> io::Result<Option<Following>> {
        if self.engine().meeting().is_none() {
            return Ok(None);
        }
        let signal = Arc::new(Signal::default());
        let (store, seen) = (Arc::downgrade(&self.inner), Arc::clone(&signal));
        thread::Builder::new()
            .name("follow".to_owned())
            .spawn(move || run(&store, &seen, &mut each_beat))?;
        Ok(Some(Following { signal }))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        *self.signal.lock() = true;
        self.signal.changed.notify_all();
    }
}

impl fmt::Debug for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Following").finish_non_exhaustive()
    }
}

fn run(store: &Weak<Inner>, signal: &Signal, each_beat: &mut dyn FnMut(News)) {
    let mut ear = None;
    let mut is_lost = false;
    while !*signal.lock() {
        let Some(inner) = store.upgrade() else { return };
        match beat(&inner, &mut ear) {
            Ok(news) => {
                inner.heard.is_lost.store(false, Ordering::Release);
                if std::mem::take(&mut is_lost) {
                    tracing::info!("other machines are heard again");
                }
                each_beat(news);
            }
            Err(error) => {
                inner.heard.distrust();
                inner.heard.is_lost.store(true, Ordering::Release);
                ear = None;
                if !std::mem::replace(&mut is_lost, true) {
                    tracing::warn!(%error, "other machines are not heard: the database is asked each time");
                }
                each_beat(News::UNKNOWN);
                drop(inner);
                signal.pause();
            }
        }
    }
    if let Some(inner) = store.upgrade() {
        inner.heard.distrust();
    }
}

/// A connection that listens, and the version it last saw.
struct Ear {
    connection: Box<dyn Listening>,
    version: i64,
}

/// Waits for words, makes sure that none was missed, and says until when that holds.
fn beat(inner: &Inner, ear: &mut Option<Ear>) -> Result<News, Error> {
    let (ear, mut news) = match ear {
        Some(ear) => (ear, News::default()),
        None => {
            let meeting = inner.engine.meeting().ok_or(Error::Locked)?;
            let connection = meeting.listen()?;
            // It listens: whoever takes this version sees everything that came before, and hears what comes after.
            inner.heard.changed();
            let version = inner.engine.data_version(&*connection)?;
            let new = Ear {
                connection,
                version,
            };
            (ear.insert(new), News::UNKNOWN)
        }
    };
    if news == News::default() {
        let words = ear.connection.wait(BEAT)?;
        news.has_changed |= words.has_changed;
        news.has_queued |= words.has_queued;
        news.is_deleting |= words.is_deleting;
        if words.has_changed {
            inner.heard.changed();
        }
    }
    // Who writes past this program says no word, but is seen here.
    let asked = inner.clock.elapsed();
    let version = inner.engine.data_version(&*ear.connection)?;
    if version != ear.version {
        ear.version = version;
        news.has_changed = true;
        inner.heard.changed();
    }
    inner.heard.trust(asked.saturating_add(TRUST));
    Ok(news)
}

/// The version of the data as far as it was heard of.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Grows with every write that is heard of, and with every gap.
    version: AtomicI64,
    /// The time of the store's clock until which nothing can have been missed; 0 while nobody listens.
    until_ns: AtomicU64,
    /// Whether the last attempt to listen failed.
    is_lost: AtomicBool,
}

impl Heard {
    pub(crate) fn new() -> Self {
        Self {
            version: AtomicI64::new(1),
            until_ns: AtomicU64::new(0),
            is_lost: AtomicBool::new(false),
        }
    }

    /// Whether whoever follows has no connection, or one that no longer answers.
    pub(crate) fn is_out_of_touch(&self, clock: &SharedClock) -> bool {
        let until_ns = self.until_ns.load(Ordering::Acquire);
        let is_silent = until_ns != 0 && nanos(clock.elapsed()) > until_ns + nanos(SILENT);
        is_silent || self.is_lost.load(Ordering::Acquire)
    }

    /// The version, while it can be trusted. The time is looked at first: a version that is read later is no older.
    pub(crate) fn version(&self, clock: &SharedClock) -> Option<i64> {
        let until_ns = self.until_ns.load(Ordering::Acquire);
        if until_ns == 0 || nanos(clock.elapsed()) >= until_ns {
            return None;
        }
        Some(self.version.load(Ordering::Acquire))
    }

    /// Something was written, here or elsewhere.
    pub(crate) fn changed(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    fn trust(&self, until: Duration) {
        self.until_ns.store(nanos(until), Ordering::Release);
    }

    fn distrust(&self) {
        self.until_ns.store(0, Ordering::Release);
    }
}

/// 584 years at most.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

//! What is left for the next run: a snapshot of memory, written when it grows short and removed when it no longer is.
//!
//! A process that the kernel kills for its memory cannot say so. A snapshot that is still there at the next start was
//! left by a run that ended while memory was short.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rsr_base::{ByteSize, read_file_at_most};
use serde_json::{Value, json};

use crate::app::App;
use crate::wire::rfc3339;

/// Most bytes of a snapshot.
const SNAPSHOT_MAX: ByteSize = ByteSize::from_mib(1);

/// The snapshot's file, and what the run before left there.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    last_run: Option<Value>,
}

impl Journal {
    /// Reads what the run before left; a file that makes no sense is none.
    pub(crate) fn open(path: &Path) -> Self {
        let left = read_file_at_most(path, SNAPSHOT_MAX).ok();
        let last_run: Option<Value> = left.and_then(|text| serde_json::from_str(&text).ok());
        if let Some(snapshot) = &last_run {
            tracing::warn!(
                file = %path.display(),
                written = snapshot["written"].as_str(),
                largest = %snapshot["largest"],
                "the run before ended while memory was short, most likely killed for it"
            );
        }
        Self {
            path: path.to_owned(),
            last_run,
        }
    }

    /// What the run before left.
    pub(crate) fn last_run(&self) -> Option<&Value> {
        self.last_run.as_ref()
    }

    /// Notes who holds most, while there is still memory to do it with.
    pub(crate) fn write(&self, app: &App, share: f64) {
        let largest: Vec<Value> = app
            .watch
            .pressure
            .largest(10)
            .into_iter()
            .map(|consumer| json!({ "name": consumer.name, "bytes": consumer.held.bytes() }))
            .collect();
        let in_flight = app.bounds.requests_max - app.in_flight.available_permits();
        let book = app.findings.book();
        let findings: Vec<&str> = book
            .open()
            .map(|finding| finding.observation.description.as_str())
            .collect();
        let snapshot = json!({
            "written": rfc3339(app.clock.wall()),
            "process": std::process::id(),
            "share": share,
            "memory": crate::admin::figures(app),
            "largest": largest,
            "findings": findings,
            "requests_in_flight": in_flight,
            "streams": app.bridge.n_streams(),
        });
        drop(book);
        if let Err(error) = self.keep(&snapshot.to_string()) {
            tracing::warn!(file = %self.path.display(), %error, "no snapshot of memory is kept");
        }
    }

    fn keep(&self, text: &str) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let beside = self.path.with_extension("new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&beside, &self.path)
    }

    /// Memory is no longer short, or the run ends well.
    pub(crate) fn clear(&self) {
        // None there is as good.
        drop(fs::remove_file(&self.path));
    }
}

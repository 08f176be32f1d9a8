//! Inputs that can be read more than once.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use rsr_iati::reader::{ActivityReader, Event, FileHead, FileKind, ReadError, ReadOptions};

use super::unreadable;
use crate::commands::files::{Input, Stoppable, inputs};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::progress::Progress;

/// One input. What cannot be read twice was copied to a temporary file without a name.
#[derive(Clone, Debug)]
pub(super) struct Source {
    input: Input,
    copy: Option<Arc<File>>,
    /// What its start says.
    pub(super) head: FileHead,
}

/// What the files of one run hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Activities,
    Organisations,
}

/// The files of activities that the paths name; organisation files are passed over, and that is said.
///
/// # Errors
///
/// Where a path is missing, none is a file of activities (exit code 2), or one is no XML.
pub(super) fn sources(context: &Context, paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let (activities, organisations) = all(context, paths)?;
    if activities.is_empty() {
        return Err(no_activities(&organisations));
    }
    tell_passed_over(&organisations, "");
    Ok(activities)
}

/// The files of activities that the paths name or, where there are none, the organisation files: one file holds one of the
/// two.
///
/// # Errors
///
/// As [`sources`].
pub(super) fn sources_of_one_kind(
    context: &Context,
    paths: &[PathBuf],
) -> Result<(Vec<Source>, Kind), Failure> {
    let (activities, organisations) = all(context, paths)?;
    if activities.is_empty() {
        return Ok((organisations, Kind::Organisations));
    }
    tell_passed_over(
        &organisations,
        ": name it in a run without files of activities",
    );
    Ok((activities, Kind::Activities))
}

/// All files, those of activities and those of organisations.
fn all(context: &Context, paths: &[PathBuf]) -> Result<(Vec<Source>, Vec<Source>), Failure> {
    let (mut activities, mut organisations) = (Vec::new(), Vec::new());
    for input in inputs(paths)? {
        let copy = match input.length() {
            Some(_) => None,
            None => Some(Arc::new(copy(context, &input)?)),
        };
        let head = head(context, &input, copy.as_ref())?;
        let source = Source { input, copy, head };
        match source.head.kind {
            FileKind::Organisations => organisations.push(source),
            _ => activities.push(source),
        }
    }
    Ok((activities, organisations))
}

fn tell_passed_over(organisations: &[Source], remedy: &str) {
    for source in organisations {
        output::note(format_args!(
            "{}: an organisation file holds no activities, passed over{remedy}",
            source.name()
        ));
    }
}

/// What to do with organisation files where only files of activities will do.
fn no_activities(organisations: &[Source]) -> Failure {
    let names: Vec<String> = organisations.iter().map(Source::name).collect();
    no_activities_in(&names)
}

/// The same by their names.
pub(super) fn no_activities_in(names: &[String]) -> Failure {
    Failure::new(
        Exit::Usage,
        format_args!(
            "organisation files hold no activities: {}; `rsr iati upgrade` and `rsr validate iati` take them, \
             here name files of activities",
            names.join(", ")
        ),
    )
}

impl Source {
    /// The name that reports show.
    pub(super) fn name(&self) -> String {
        self.input.name()
    }

    /// Its path; `None` for standard input.
    pub(super) fn path(&self) -> Option<&std::path::Path> {
        match &self.input {
            Input::Standard => None,
            Input::File(path) => Some(path),
        }
    }

    /// The version its root names, as written.
    pub(super) fn version_text(&self) -> &str {
        self.head.version_text.as_deref().unwrap_or("1.01")
    }

    /// Reads it from its start, and stops at Ctrl-C.
    pub(super) fn open<'c>(
        &self,
        context: &'c Context,
    ) -> io::Result<Stoppable<'c, Box<dyn Read + Send>>> {
        let source: Box<dyn Read + Send> = match &self.copy {
            Some(file) => Box::new(Copied {
                file: Arc::clone(file),
                at: 0,
            }),
            None => match &self.input {
                Input::Standard => Box::new(io::stdin()),
                Input::File(path) => Box::new(File::open(path)?),
            },
        };
        Ok(Stoppable::new(source, &context.interrupt))
    }

    /// A bar for reading it once.
    pub(super) fn progress(&self, context: &Context) -> Progress {
        let length = match &self.copy {
            Some(file) => file.metadata().ok().map(|file| file.len()),
            None => self.input.length(),
        };
        let progress = Progress::bytes(length, context.is_quiet);
        progress.about(self.name());
        progress
    }
}

/// How files are read: with the bounds that the settings give.
pub(super) fn options(context: &Context) -> ReadOptions {
    ReadOptions::from(&context.settings().iati)
}

/// A failure to read on.
pub(super) fn failed(context: &Context, error: ReadError, file: &str) -> Failure {
    match error {
        ReadError::Xml(error) => unreadable(context, error, file),
        other => Failure::of(Exit::PartWay, other).context(file),
    }
}

fn copy(context: &Context, input: &Input) -> Result<File, Failure> {
    let failed = |error: io::Error| {
        let exit = Exit::PartWay;
        match context.interrupt.is_raised() {
            true => Failure::new(exit, "stopped: nothing was written"),
            false => Failure::of(exit, error).context(format_args!(
                "{} cannot be copied to the folder for temporary files (TMPDIR)",
                input.name()
            )),
        }
    };
    let mut copy = tempfile::tempfile().map_err(failed)?;
    let mut source = Stoppable::new(input.open()?, &context.interrupt);
    io::copy(&mut source, &mut copy).map_err(failed)?;
    Ok(copy)
}

fn head(context: &Context, input: &Input, copy: Option<&Arc<File>>) -> Result<FileHead, Failure> {
    let source: Box<dyn Read + Send> = match copy {
        Some(file) => Box::new(Copied {
            file: Arc::clone(file),
            at: 0,
        }),
        None => input.open()?,
    };
    let source = Stoppable::new(source, &context.interrupt);
    let mut reader = ActivityReader::with_options(source, &options(context));
    loop {
        match reader.next_event() {
            Ok(Some(Event::ActivityStart(..)) | None) => return Ok(reader.file().clone()),
            Ok(Some(_)) => {}
            Err(error) => return Err(failed(context, error, &input.name())),
        }
    }
}

/// A reader of its own place in a file that others read too.
struct Copied {
    file: Arc<File>,
    at: u64,
}

impl Read for Copied {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(bytes, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

//! Names of call stacks, found in a process of their own.
//!
//! Reading the debug information takes tens of MB that an allocator does not give back at once, so a service has another
//! process do it: `rsr memory profile`, which ends when it is done.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rsr_base::{ByteSize, read_at_most};
use rsr_monitoring::{Frame, HeapDump, NamedProfile, NamedStack};
use serde::{Deserialize, Serialize};

use crate::bridge::give_way_with;

/// Longest time that naming may take, and most bytes of its answer.
const TIME_MAX: Duration = Duration::from_secs(60);
const ANSWER_MAX: ByteSize = ByteSize::from_mib(64);

/// Why stacks have no names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NamingError {
    /// The other process could not be started or talked to.
    #[error("{} could not be run", program.display())]
    NotRun {
        /// The program.
        program: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// It took too long and was ended.
    #[error("naming took longer than {} s", TIME_MAX.as_secs())]
    TooSlow,
    /// It said something else than names.
    #[error("the names make no sense")]
    Answer(#[from] serde_json::Error),
}

/// Who names stacks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namer {
    /// The `rsr` program; without one this process does it itself.
    program: Option<PathBuf>,
}

impl Namer {
    pub(crate) fn program(program: PathBuf) -> Self {
        Self {
            program: Some(program),
        }
    }

    /// Names the frames of a dump. Takes a second or so: for threads that may wait.
    pub(crate) fn name(&self, dump: &HeapDump) -> Result<NamedProfile, NamingError> {
        let Some(program) = &self.program else {
            return Ok(dump.name());
        };
        let arguments = ["-", "--as", "json"].map(PathBuf::from);
        let answer = run(program, &arguments, dump.to_text().as_bytes())?;
        from_json(&answer)
    }

    /// A profile on disk in pprof's format, less an earlier one where there is one.
    pub(crate) fn pprof(&self, file: &Path, base: Option<&Path>) -> Result<Vec<u8>, PprofError> {
        if let Some(program) = &self.program {
            let mut arguments = vec![file.to_owned(), "--as".into(), "pprof".into()];
            if let Some(base) = base {
                arguments.extend(["--base".into(), base.to_owned()]);
            }
            return Ok(run(program, &arguments, b"")?);
        }
        let mut profile = HeapDump::read(file)?.name();
        if let Some(base) = base {
            profile = profile.against(&HeapDump::read(base)?.name());
        }
        let mut out = Vec::new();
        profile
            .write_pprof(&mut out)
            .expect("a Vec takes whatever is written to it");
        Ok(out)
    }
}

/// Why a profile could not be turned into pprof's format.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PprofError {
    /// The other process did not do it.
    #[error(transparent)]
    Naming(#[from] NamingError),
    /// The file is no heap profile.
    #[error(transparent)]
    Dump(#[from] rsr_monitoring::DumpError),
}

fn run(program: &Path, arguments: &[PathBuf], input: &[u8]) -> Result<Vec<u8>, NamingError> {
    let mut command = Command::new(program);
    command
        .args(["--quiet", "memory", "profile"])
        .args(arguments);
    answer_of(command, input)
}

/// What it writes once it has read this; behind the threads that serve.
fn answer_of(mut command: Command, input: &[u8]) -> Result<Vec<u8>, NamingError> {
    let program = PathBuf::from(command.get_program());
    let failed = |source| NamingError::NotRun {
        program: program.clone(),
        source,
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    give_way_with(&child);
    // It reads all of its input before it writes, so neither waits for the other.
    let written = child
        .stdin
        .take()
        .map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let (sender, answer) = mpsc::sync_channel(1);
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let read = stdout.map_or_else(|| Ok(Vec::new()), |stdout| read_at_most(stdout, ANSWER_MAX));
        // Nobody waits any more where it took too long.
        drop(sender.send(read));
    });
    let answer = answer.recv_timeout(TIME_MAX);
    if answer.is_err() {
        child.kill().map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    drop(reader.join());
    let bytes = answer
        .map_err(|_elapsed| NamingError::TooSlow)?
        .map_err(|error| failed(io::Error::other(error)))?;
    if !status.success() {
        written.map_err(failed)?;
        return Err(failed(io::Error::other(format!("it ended with {status}"))));
    }
    Ok(bytes)
}

#[derive(Debug, Serialize, Deserialize)]
struct ProfileJson {
    period: u64,
    stacks: Vec<StackJson>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StackJson {
    bytes: u64,
    count: u64,
    frames: Vec<FrameJson>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FrameJson {
    function: String,
    file: String,
    line: u32,
}

/// A named profile as JSON: `{"period","stacks":[{"bytes","count","frames":[{"function","file","line"}]}]}`, the largest
/// stack and the innermost frame first.
///
/// # Panics
///
/// Never: text and whole numbers are always JSON.
#[must_use]
pub fn to_json(profile: &NamedProfile) -> String {
    let stack = |stack: &NamedStack| StackJson {
        bytes: stack.bytes,
        count: stack.count,
        frames: stack
            .frames
            .iter()
            .map(|frame| FrameJson {
                function: frame.function.clone(),
                file: frame.file.clone(),
                line: frame.line,
            })
            .collect(),
    };
    let json = ProfileJson {
        period: profile.period().bytes(),
        stacks: profile.stacks().iter().map(stack).collect(),
    };
    serde_json::to_string(&json).expect("text and whole numbers are always JSON")
}

fn from_json(bytes: &[u8]) -> Result<NamedProfile, NamingError> {
    let json: ProfileJson = serde_json::from_slice(bytes)?;
    let stacks = json.stacks.into_iter().map(|stack| NamedStack {
        frames: stack
            .frames
            .into_iter()
            .map(|frame| Frame {
                function: frame.function,
                file: frame.file,
                line: frame.line,
            })
            .collect(),
        bytes: stack.bytes,
        count: stack.count,
    });
    Ok(NamedProfile::new(json.period, stacks.collect()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::answer_of;

    #[test]
    fn who_names_goes_behind_who_answers() {
        let mut command = Command::new("sh");
        command.args(["-c", "cat > /dev/null; nice"]);
        let niceness = String::from_utf8(answer_of(command, b"anything").unwrap()).unwrap();
        let niceness: i32 = niceness.trim().parse().unwrap();
        let own = rustix::process::getpriority_process(None).unwrap();
        assert!(niceness > own || own >= 19, "{niceness}, and {own} here");
    }
}

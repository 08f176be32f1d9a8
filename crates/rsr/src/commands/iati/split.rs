//! `rsr iati split`: one file into numbered ones.

use std::io;
use std::path::{Path, PathBuf};

use rsr_base::ByteSize;
use rsr_iati::export::{numbered, sync_folder};
use rsr_iati::lossless::{self, Cut, Piece};
use serde_json::json;

use super::flags::Split;
use super::source::{Source, sources};
use super::target::{Part, cannot_write, check_target, is_gzip};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Out;

pub(super) fn run(context: &Context, flags: &Split) -> Outcome {
    if flags.path.is_dir() {
        return Err(Failure::new(
            Exit::Usage,
            format_args!("{} is a folder: name one file", flags.path.display()),
        ));
    }
    let sources = sources(context, std::slice::from_ref(&flags.path))?;
    let Some(source) = sources.first() else {
        return Ok(Exit::Done);
    };
    let target = target(flags, source)?;
    check_target(&target)?;
    let gzip = is_gzip(flags.gzip, Some(&target));
    let cut = Cut {
        size_max: flags
            .max_bytes
            .unwrap_or(context.settings().iati.split_bytes),
        count_max: flags.count.unwrap_or(u64::MAX),
    };
    let progress = source.progress(context);
    let (mut open, mut whole) = (Vec::new(), Vec::new());
    let mut n_opened = 0;
    let done = lossless::split(
        &mut || {
            n_opened += 1;
            let source = source.open(context)?;
            // The first one measures what the second one writes a moment later: one bar for both.
            Ok(match n_opened {
                1 => Box::new(progress.read(source)) as Box<dyn io::Read>,
                _ => Box::new(source),
            })
        },
        cut,
        &mut |_number| {
            let (part, sink) = Part::begin(&target, gzip)?;
            open.push(part);
            Ok(sink)
        },
        &mut |sink, piece| {
            sink.finish()?.sync_all()?;
            whole.push(piece);
            Ok(())
        },
    );
    progress.end();
    let tally = done.map_err(|error| super::lossless(context, error, &source.name()))?;
    if whole.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            format_args!("{} holds no activity: nothing was written", source.name()),
        ));
    }
    let mut files = Vec::new();
    for (nth, (part, piece)) in open.into_iter().zip(whole).enumerate() {
        files.push((part, numbered(&target, nth + 1), piece));
    }
    // The first one last: where it is there, all are.
    let mut named = Vec::new();
    for (part, path, piece) in files.into_iter().rev() {
        part.name(&path).map_err(cannot_write)?;
        named.push((path, piece));
    }
    named.reverse();
    sync_folder(&target).map_err(cannot_write)?;
    super::tell_replaced(&tally);
    print(context, &tally, &named, cut.size_max)
}

fn target(flags: &Split, source: &Source) -> Result<PathBuf, Failure> {
    if let Some(target) = &flags.output {
        return Ok(target.clone());
    }
    let name = source.path().and_then(Path::file_name).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "standard input has no name to number: give one with -o FILE",
        )
    })?;
    // Whether it was compressed says nothing of what is asked for.
    let name = name.to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    Ok(PathBuf::from(if flags.gzip {
        format!("{name}.gz")
    } else {
        name.to_owned()
    }))
}

fn print(
    context: &Context,
    tally: &lossless::Tally,
    files: &[(PathBuf, Piece)],
    size_max: ByteSize,
) -> Outcome {
    let mut out = Out::new();
    if context.is_json() {
        let files: Vec<_> = files
            .iter()
            .map(|(path, size)| {
                json!({
                    "file": path.display().to_string(), "activities": size.n_activities, "bytes": size.n_bytes,
                })
            })
            .collect();
        out.json(&json!({
            "activities": tally.n_written,
            "characters_replaced": tally.n_notices,
            "files": files,
        }))?;
        return out.end(Exit::Done);
    }
    for (path, size) in files {
        let larger = match size.n_bytes > size_max.bytes() {
            true => ", one activity alone is larger than asked for",
            false => "",
        };
        out.line(format_args!(
            "{}: {} activities, {} bytes{larger}",
            path.display(),
            size.n_activities,
            size.n_bytes
        ))?;
    }
    out.line(format_args!(
        "{} activities in {} files",
        tally.n_written,
        files.len()
    ))?;
    out.end(Exit::Done)
}

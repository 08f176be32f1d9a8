//! `rsr iati merge`: many files into one.

use rsr_iati::lossless::{Output, RawReader, Tally};

use super::flags::Merge;
use super::source::{Source, sources};
use super::target::{self, check_target};
use super::{lossless, passed_on, upgrade};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};

pub(super) fn run(context: &Context, flags: &Merge) -> Outcome {
    let between = &flags.between;
    if flags.upgrade {
        let wanted = upgrade::Wanted {
            is_split: false,
            keeps_gaps: false,
        };
        return upgrade::run(context, between, wanted);
    }
    super::check_json(context, between)?;
    let sources = sources(context, &between.paths)?;
    check_versions(&sources)?;
    if let Some(target) = &between.output {
        check_target(target)?;
    }
    let (tally, written) = target::write(between.output.as_deref(), between.gzip, |out| {
        let mut output = Output::new(out);
        let mut tally = Tally::default();
        for source in &sources {
            one(context, source, &mut output, &mut tally)?;
        }
        output
            .finish()
            .map_err(|error| lossless(context, error, "the end of the file"))?;
        Ok((tally, tally.n_written > 0))
    })?;
    if tally.n_written == 0 {
        return Err(Failure::new(
            Exit::Usage,
            "the files hold no activity: nothing was written",
        ));
    }
    passed_on(context, &tally, &written)
}

/// Refuses files of several versions before anything is written.
pub(super) fn check_versions(sources: &[Source]) -> Result<(), Failure> {
    let Some(first) = sources.first() else {
        return Ok(());
    };
    let version = first.version_text();
    match sources
        .iter()
        .find(|source| source.version_text() != version)
    {
        None => Ok(()),
        Some(other) => Err(Failure::new(
            Exit::Usage,
            format_args!(
                "{} is of version {version} and {} of version {}, and a file has one version: \
                 `rsr iati merge --upgrade` writes all as 2.03",
                first.name(),
                other.name(),
                other.version_text()
            ),
        )),
    }
}

fn one<W: std::io::Write>(
    context: &Context,
    source: &Source,
    output: &mut Output<W>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let name = source.name();
    let progress = source.progress(context);
    let opened = source.open(context).map_err(target::cannot_write)?;
    let limits = super::source::options(context).limits;
    let mut reader = RawReader::with_limits(progress.read(opened), limits);
    let done = loop {
        match reader.next_activity() {
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        }
        if let Err(error) = output.activity(&mut reader) {
            break Err(error);
        }
        tally.n_written += 1;
        tally.n_notices += super::n_replaced(&mut reader, 0);
    };
    tally.n_read += reader.n_read();
    progress.end();
    done.map_err(|error| lossless(context, error, &name))
}

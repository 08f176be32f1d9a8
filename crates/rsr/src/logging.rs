//! Logs, always on standard error.

use rsr_settings::{LogFormat, LogSettings};
use tracing_subscriber::EnvFilter;

use crate::exit::{Exit, Failure};

/// Starts logging. `verbose` raises the level: once to debug, twice to trace; `quiet` leaves errors alone.
pub(crate) fn start(settings: &LogSettings, verbose: u8, is_quiet: bool) -> Result<(), Failure> {
    let wanted = match verbose {
        _ if is_quiet => "error",
        0 => settings.level.as_str(),
        1 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::builder().parse(wanted).map_err(|error| {
        Failure::of(Exit::Usage, error).context(format_args!(
            "log.level cannot be {wanted:?}: give a level such as info, or rsr_store=debug,info"
        ))
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Json => builder.json().try_init(),
        _ => builder.with_target(false).try_init(),
    };
    started
        .map_err(|error| Failure::new(Exit::Usage, format_args!("logging cannot start: {error}")))
}

//! `rsr worker`: aggregation workers alone, for a second machine.

use std::sync::Arc;

use rsr_settings::LiveSettings;

use super::serve;
use crate::cli::Worker;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::output;

/// The flags, as settings that win over all other sources.
pub(crate) fn overrides(flags: &Worker) -> Vec<(&'static str, &'static str, String)> {
    let workers = flags
        .workers
        .map(|workers| ("--workers", "aggregation.workers", workers.to_string()));
    workers.into_iter().collect()
}

/// Works the queue off until Ctrl-C or SIGTERM, and ends what is under way first.
pub(crate) fn run(context: &Context) -> Outcome {
    let live = Arc::new(LiveSettings::new(context.loaded.clone()));
    let service = serve::service(context, live)?;
    let n_workers = context.settings().aggregation.workers;
    serve::runtime()?.block_on(async {
        let stop = serve::stopped()?;
        output::note(format_args!(
            "{n_workers} workers for {} (Ctrl-C stops)",
            context.settings().database.url
        ));
        rsr_service::work(service, stop).await;
        Ok(Exit::Done)
    })
}

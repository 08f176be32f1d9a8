//! `rsr serve`: the HTTP service, until it is told to stop.

use std::future::Future;
use std::sync::Arc;

use rsr_service::{Addresses, ServeError, Service, open_store};
use rsr_settings::LiveSettings;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Serve;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

/// The flags, as settings that win over all other sources.
pub(crate) fn overrides(flags: &Serve) -> Vec<(&'static str, &'static str, String)> {
    let listen = flags
        .listen
        .map(|address| ("--listen", "server.listen", address.to_string()));
    let workers = flags
        .workers
        .map(|workers| ("--workers", "aggregation.workers", workers.to_string()));
    listen.into_iter().chain(workers).collect()
}

/// Serves until Ctrl-C or SIGTERM.
pub(crate) fn run(context: &Context) -> Outcome {
    let service = service(context)?;
    runtime()?.block_on(until_stopped(service, |addresses| {
        output::note(format_args!(
            "serving on http://{} (Ctrl-C stops)",
            addresses.http
        ));
    }))
}

/// The service over the database of the settings.
pub(crate) fn service(context: &Context) -> Result<Service, Failure> {
    let url = &context.settings().database.url;
    let store = open_store(context.settings(), context.clock.clone())
        .map_err(|error| Failure::from(error).context(format_args!("cannot open {url}")))?;
    let live = Arc::new(LiveSettings::new(context.loaded.clone()));
    Ok(Service::new(live, store, context.clock.clone()))
}

/// The threads that serve. Blocking work has bounded pools of its own.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::of(Exit::PartWay, error).context("no threads to serve with"))
}

/// Serves, says where through `ready`, and ends in order at the first signal.
pub(crate) async fn until_stopped(service: Service, ready: impl FnOnce(&Addresses)) -> Outcome {
    let stop = stopped()?;
    match rsr_service::serve(service, ready, stop).await {
        Ok(()) => Ok(Exit::Done),
        Err(error @ ServeError::NeedsToken { .. }) => Err(Failure::of(Exit::Usage, error)),
        Err(error) => Err(Failure::of(Exit::Unreachable, error)),
    }
}

/// Resolves at Ctrl-C or SIGTERM.
fn stopped() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| {
        signal(kind).map_err(|error| {
            Failure::of(Exit::PartWay, error).context("signals cannot be listened for")
        })
    };
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

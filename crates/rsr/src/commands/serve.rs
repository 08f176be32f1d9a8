//! `rsr serve`: the HTTP service, until it is told to stop.

use std::future::Future;
use std::sync::Arc;

use rsr_service::{Addresses, ServeError, Service, open_store};
use rsr_settings::{Change, Inputs, LiveSettings, Reload};
use tokio::signal::unix::{Signal, SignalKind, signal};

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

/// Serves until Ctrl-C or SIGTERM; SIGHUP reads the settings from `inputs` again.
pub(crate) fn run(context: &Context, inputs: Inputs) -> Outcome {
    let live = Arc::new(LiveSettings::new(context.loaded.clone()));
    let service = service(context, Arc::clone(&live))?;
    let ready = |addresses: &Addresses| {
        output::note(format_args!(
            "serving on http://{} (Ctrl-C stops)",
            addresses.http
        ));
    };
    runtime()?.block_on(async {
        let reloads = tokio::spawn(reload_at_hangup(
            live,
            inputs,
            listen(SignalKind::hangup())?,
        ));
        let outcome = until(service, ready, stopped()?).await;
        reloads.abort();
        outcome
    })
}

/// The service over the database of the settings.
pub(crate) fn service(context: &Context, live: Arc<LiveSettings>) -> Result<Service, Failure> {
    let url = &context.settings().database.url;
    let store = open_store(context.settings(), context.clock.clone())
        .map_err(|error| Failure::from(error).context(format_args!("cannot open {url}")))?;
    let service = Service::new(live, store, context.clock.clone());
    Ok(with_names(service))
}

/// The same service, with call stacks named in processes of their own.
pub(crate) fn with_names(service: Service) -> Service {
    match std::env::current_exe() {
        Ok(program) => service.naming_with(program),
        // Names are then found in this process, which costs it memory.
        Err(_unknown) => service,
    }
}

/// The threads that serve. Blocking work has bounded pools of its own.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::of(Exit::PartWay, error).context("no threads to serve with"))
}

/// Serves, says where through `ready`, and ends in order when `stop` resolves.
pub(crate) async fn until(
    service: Service,
    ready: impl FnOnce(&Addresses),
    stop: impl Future<Output = ()>,
) -> Outcome {
    match rsr_service::serve(service, ready, stop).await {
        Ok(()) => Ok(Exit::Done),
        Err(error @ ServeError::NeedsToken { .. }) => Err(Failure::of(Exit::Usage, error)),
        Err(error) => Err(Failure::of(Exit::Unreachable, error)),
    }
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| {
        Failure::of(Exit::PartWay, error).context("signals cannot be listened for")
    })
}

/// Takes over changed settings at each SIGHUP; wrong ones change nothing. Either way the log says so.
async fn reload_at_hangup(live: Arc<LiveSettings>, inputs: Inputs, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        match live.reload(&inputs) {
            Ok(reload) => log(&reload),
            Err(invalid) => {
                for problem in invalid.problems() {
                    tracing::error!("the old settings stay: {problem}");
                }
            }
        }
    }
}

fn log(reload: &Reload) {
    for warning in &reload.warnings {
        tracing::warn!("{warning}");
    }
    for change in &reload.changed {
        let Change { key, old, new, .. } = change;
        tracing::info!(who = "SIGHUP", key, old, new, "setting changed");
    }
    for change in &reload.waiting {
        let Change { key, old, new, .. } = change;
        tracing::warn!(key, old, new, "setting waits for a restart");
    }
    let (n_changed, n_waiting) = (reload.changed.len(), reload.waiting.len());
    tracing::info!(n_changed, n_waiting, "settings read again");
}

/// Resolves at Ctrl-C or SIGTERM.
pub(crate) fn stopped() -> Result<impl Future<Output = ()>, Failure> {
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

//! `rsr demo`: a sample portfolio from nothing to a running service.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rsr_base::ProjectId;
use rsr_iati::export::{ActivitySource as _, ExportOptions, export_to_file};
use rsr_iati::validate::{Options, validate};
use rsr_service::{Addresses, Service};
use rsr_settings::LiveSettings;
use rsr_store::{ActivityFilter, Store};
use tokio::sync::oneshot;

use super::{aggregate, serve};
use crate::cli::Demo;
use crate::context::Context;
use crate::demo::{Filled, Portfolio, REPORTER, Shown, Summary, fill, leak};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format, Out};
use crate::progress::Progress;

/// The flags, as settings that win over all other sources. A demo that ends by itself asks nobody to administer it, so
/// its socket does not get into the way of a service that runs.
pub(crate) fn overrides(flags: &Demo) -> Vec<(&'static str, &'static str, String)> {
    let listen = flags
        .listen
        .map(|address| ("--listen", "server.listen", address.to_string()));
    let socket = flags.once.then(|| {
        let name = format!("rsr-demo-{}/admin.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        ("--once", "server.admin_socket", path.display().to_string())
    });
    // An opinion about call stacks takes 21 looks: at two seconds each, less than a minute.
    let looks = flags
        .leak
        .then(|| ("--leak", "leaks.site_interval", "2".to_owned()));
    listen.into_iter().chain(socket).chain(looks).collect()
}

/// Makes the portfolio where it is not there yet, rolls it up, exports it, serves it and shows what came of it.
pub(crate) fn run(context: &Context, flags: &Demo) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    let portfolio = Portfolio::new(flags.seed, flags.projects as usize);
    let store = context.store()?;
    refuse_foreign(&store)?;
    let filled = make(context, &store, &portfolio)?;
    let rolled_up = aggregate::everything(context, &store)?;
    if let Some((root, reason)) = rolled_up.failed.first() {
        return Err(Failure::new(
            Exit::PartWay,
            format_args!("the tree of project {root} was not rolled up: {reason}"),
        ));
    }
    let file = export(context, &store)?;
    let (top, result) = first_result(&store, &portfolio)?;
    let shown = Shown {
        portfolio,
        filled,
        n_periods: rolled_up.n_periods,
        n_periods_changed: rolled_up.n_periods_changed,
        database: store.location(),
        url: context.settings().database.url.to_string(),
        file,
        top,
        result,
    };
    let done = serve_and_show(context, store.clone(), &shown, flags);
    if flags.once {
        // The file alone is the whole database then, for whoever copies it.
        store.checkpoint()?;
    }
    drop(store);
    if flags.once
        && let Some(folder) = context.settings().server.admin_socket.parent()
    {
        // The folder was made for this run alone; left behind it would bother nobody.
        drop(std::fs::remove_dir_all(folder));
    }
    done
}

/// Sample data does not go among real projects.
fn refuse_foreign(store: &Store) -> Result<(), Failure> {
    let snapshot = store.snapshot()?;
    if snapshot.parent_links(None, 1)?.is_empty() {
        return Ok(());
    }
    let filter = ActivityFilter {
        reporting_ref: Some(REPORTER.0.to_owned()),
        ..ActivityFilter::default()
    };
    let mut omit = |_omission: rsr_store::Omission<'_>| {};
    let first = snapshot.activities(&filter, 1, &mut omit).next_activity()?;
    if first.is_some() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        format_args!(
            "{} holds projects that are not the demo's: name another database, such as --database sqlite://demo.db",
            store.location()
        ),
    ))
}

/// Fills the store; stops between two programmes at Ctrl-C.
fn make(context: &Context, store: &Store, portfolio: &Portfolio) -> Result<Filled, Failure> {
    let n_projects = portfolio.shape().n_projects();
    let progress = Progress::items(context.is_quiet);
    progress.about(format!("making {n_projects} projects"));
    let mut n_before = 0;
    let filled = fill(store, portfolio, &mut |n_done| {
        progress.add((n_done - n_before) as u64);
        n_before = n_done;
        !context.interrupt.is_raised()
    });
    progress.end();
    if context.interrupt.is_raised() {
        return Err(Failure::new(
            Exit::PartWay,
            format_args!(
                "stopped: {n_before} of {n_projects} projects are there; the same command makes the rest"
            ),
        ));
    }
    Ok(filled?)
}

/// The first programme, and what stands at its first result.
fn first_result(store: &Store, portfolio: &Portfolio) -> Result<(ProjectId, Summary), Failure> {
    let snapshot = store.snapshot()?;
    let gone = || {
        Failure::new(
            Exit::PartWay,
            "the portfolio has lost its first programme: delete the database, and begin again",
        )
    };
    let top = snapshot
        .project_by_identifier(&portfolio.identifier(0))?
        .ok_or_else(gone)?;
    let results = snapshot.results(top, None, 1)?;
    let result = results.first().ok_or_else(gone)?;
    let summary = Summary::of(result);
    if !summary.has_values() {
        return Err(Failure::new(
            Exit::PartWay,
            "nothing stands at the first result after the roll-up: see `rsr aggregate --all -v`",
        ));
    }
    Ok((top, summary))
}

/// Exports what the demo made next to the database, or here where a server keeps it, and holds it against the standard.
fn export(context: &Context, store: &Store) -> Result<PathBuf, Failure> {
    let target = store
        .file()
        .and_then(Path::parent)
        .unwrap_or(Path::new(""))
        .join("rsr-demo.xml");
    let not_written = |error| {
        Failure::of(Exit::PartWay, error)
            .context(format_args!("{} was not written", target.display()))
    };
    let snapshot = store.snapshot()?;
    let iati = &context.settings().iati;
    let filter = ActivityFilter {
        reporting_ref: Some(REPORTER.0.to_owned()),
        ..ActivityFilter::default()
    };
    let mut omit = |_omission: rsr_store::Omission<'_>| {};
    let mut activities = snapshot.activities(&filter, iati.export_chunk_size, &mut omit);
    let summary = export_to_file(
        &mut activities,
        &target,
        &ExportOptions::from(iati),
        &mut |_note| {},
    )
    .map_err(not_written)?;
    for file in &summary.files {
        check(&file.path)?;
    }
    Ok(summary
        .files
        .first()
        .map_or(target, |file| file.path.clone()))
}

/// Holds a file that was just written against the standard.
fn check(file: &Path) -> Result<(), Failure> {
    let shown = file.display();
    let source = File::open(file).map_err(|error| {
        Failure::of(Exit::PartWay, error).context(format_args!("{shown} cannot be read"))
    })?;
    let checked = validate(source, &Options::default(), &mut |_group| {});
    if checked.is_valid() {
        return Ok(());
    }
    let n_critical = checked.n_critical;
    Err(Failure::new(
        Exit::PartWay,
        format_args!("{shown} has {n_critical} critical findings: see `rsr validate iati {shown}`"),
    ))
}

/// Serves, shows what there is to show as soon as it answers, and goes on serving unless once is enough.
fn serve_and_show(context: &Context, store: Store, shown: &Shown, flags: &Demo) -> Outcome {
    let live = Arc::new(LiveSettings::new(context.loaded.clone()));
    let service = Service::new(live, store, context.clock.clone());
    let service = serve::with_names(service);
    serve::runtime()?.block_on(async {
        let (told, ready) = oneshot::channel();
        // Where nobody listens any more, the service is being stopped already.
        let told = |addresses: &Addresses| told.send(addresses.http).unwrap_or(());
        let signals = serve::stopped()?;
        let mut outcome = Ok(Exit::Done);
        let stop = async {
            tokio::select! {
                () = signals => {}
                showed = Box::pin(show(context, shown, ready, flags)) => outcome = showed,
            }
        };
        let served = serve::until(service, told, stop).await;
        served.and(outcome)
    })
}

/// Shows everything once the service listens. Ends where once is enough or showing failed, else never.
async fn show(
    context: &Context,
    shown: &Shown,
    ready: oneshot::Receiver<SocketAddr>,
    flags: &Demo,
) -> Outcome {
    let Ok(address) = ready.await else {
        return Ok(Exit::Done);
    };
    let answers = shown.ask(address).await.map_err(|error| {
        Failure::of(Exit::PartWay, error).context(format_args!(
            "the service on http://{address} did not answer"
        ))
    })?;
    let mut out = Out::new();
    if context.is_json() {
        shown.print_json(address, &answers, &mut out)?;
    } else {
        shown.print(address, &answers, &mut out)?;
    }
    if flags.once {
        return Ok(Exit::Done);
    }
    output::note(format_args!("\nserving on http://{address} (Ctrl-C stops)"));
    if flags.leak {
        output::note(format_args!(
            "leaking a MiB and a quarter a second: `rsr memory check-leaks` names the place in about a minute"
        ));
        let lasts = flags.leak_for.map(|n| Duration::from_secs(n.into()));
        return leak(lasts).await;
    }
    std::future::pending().await
}

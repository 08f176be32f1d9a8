//! `rsr memory`: the memory monitor of the running service, and what it leaves behind.

mod analyse;
mod profile;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::commands::service::{accepted, get, post, show};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::output::Out;

#[derive(Debug, Subcommand)]
pub(crate) enum Memory {
    /// What the service holds now, and its limit
    #[command(after_help = "Example: rsr memory status --watch 5")]
    Status {
        /// Print again every so many seconds, until Ctrl-C
        #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
        watch: Option<u64>,
    },
    /// Judges every part; exit 1 where one is failing
    #[command(after_help = "Example: rsr memory health-check")]
    HealthCheck,
    /// Samples and judges at once; exit 1 where something leaks
    #[command(after_help = "Example: rsr memory check-leaks")]
    CheckLeaks {
        /// Forget the history and start anew
        #[arg(long)]
        reset: bool,
    },
    /// What is held, by type, cache and pool
    #[command(after_help = "Example: rsr memory summary --json")]
    Summary,
    /// Trend, findings, caches, largest stacks and advice on one page
    #[command(after_help = "Example: rsr memory report --format html -o report.html")]
    Report {
        /// The file to write; without it, standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// How far back
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=366))]
        days: u64,
        /// Exit 1 where something is wrong that nobody has taken note of
        #[arg(long)]
        check_alerts: bool,
    },
    /// Reads every figure now, instead of at the next scrape
    #[command(after_help = "Example: rsr memory update-metrics")]
    UpdateMetrics,
    /// Begins a heap profile, and prints its id
    #[command(after_help = "Example: rsr memory start-profiling --duration 30")]
    StartProfiling {
        /// Minutes until it ends by itself
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_080))]
        duration: u64,
    },
    /// Ends a heap profile and keeps it; without an id lists those that run
    #[command(
        after_help = "Example: rsr memory stop-profiling --profile-id heap-001763900000-412-0001"
    )]
    StopProfiling {
        /// The profile
        #[arg(long, value_name = "ID")]
        profile_id: Option<String>,
    },
    /// Heap profiles, under way and on disk
    #[command(after_help = "Example: rsr memory profiles")]
    Profiles,
    /// Shows a heap profile; needs no service, but the program that was profiled, as it was
    #[command(
        after_help = "Example: rsr memory profile now.heap --base before.heap --as svg -o grown.svg"
    )]
    Profile(profile::Profile),
    /// Deletes profiles that are too old or too many
    #[command(after_help = "Example: rsr memory cleanup-profiles")]
    CleanupProfiles,
    /// Limit, workers, chunk sizes and settings profile that fit what was measured
    #[command(after_help = "Example: rsr memory advise")]
    Advise,
    /// Judges recorded memory series by the service's rule: one JSON object a line in, one a line out; needs no service
    #[command(after_help = "Example: rsr memory analyse monday.ndjson\n\n\
                      In:  {\"id\":\"a\",\"step_s\":300,\"allocated\":[MiB,…],\"resident\":[…],\"load\":[requests/s,…],\"accounted\":[MiB,…]}\n\
                      Out: {\"id\":\"a\",\"alarm_s\":32400}, null where there is no leak")]
    Analyse {
        /// Files of series, or - for standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Runs the action asked for.
pub(crate) fn run(context: &Context, which: &Memory) -> Outcome {
    let answer = match which {
        Memory::Status { watch: None } => get(context, "/admin/v1/memory/status/")?,
        Memory::Status {
            watch: Some(seconds),
        } => return watch(context, Duration::from_secs(*seconds)),
        Memory::HealthCheck => return health(context),
        Memory::CheckLeaks { reset } => return leaks(context, *reset),
        Memory::Summary => get(context, "/admin/v1/memory/summary/")?,
        Memory::Report {
            output,
            days,
            check_alerts,
        } => return report::run(context, output.as_deref(), *days, *check_alerts),
        Memory::UpdateMetrics => post(context, "/admin/v1/memory/update-metrics/", &json!({}))?,
        Memory::StartProfiling { duration } => {
            let body = json!({ "minutes": duration });
            post(context, "/admin/v1/memory/profiles/start/", &body)?
        }
        Memory::StopProfiling { profile_id } => {
            let body = json!({ "profile_id": profile_id });
            post(context, "/admin/v1/memory/profiles/stop/", &body)?
        }
        Memory::Profiles => get(context, "/admin/v1/memory/profiles/")?,
        Memory::Profile(flags) => return profile::run(context, flags),
        Memory::CleanupProfiles => post(context, "/admin/v1/memory/profiles/cleanup/", &json!({}))?,
        Memory::Advise => get(context, "/admin/v1/memory/advise/")?,
        Memory::Analyse { files } => return analyse::run(files),
    };
    once(context, &answer, Exit::Done)
}

fn once(context: &Context, answer: &Value, exit: Exit) -> Outcome {
    let mut out = Out::new();
    show(context, &mut out, answer)?;
    out.end(exit)
}

/// A failing part answers 503 with the same body as a healthy whole: both are an answer to this question.
fn health(context: &Context) -> Outcome {
    let answer = context.client().get_blocking("/admin/v1/memory/health/")?;
    if answer.status == 503 {
        return once(context, &answer.body, Exit::Problems);
    }
    once(context, &accepted(answer)?, Exit::Done)
}

/// For people the verdict comes first, then each finding with what bears it out.
fn leaks(context: &Context, reset: bool) -> Outcome {
    let path = "/admin/v1/memory/check-leaks/";
    let answer = post(context, path, &json!({ "reset": reset }))?;
    let is_leak = matches!(answer["verdict"].as_str(), Some("suspected" | "confirmed"));
    let exit = if is_leak { Exit::Problems } else { Exit::Done };
    if context.is_json() {
        return once(context, &answer, exit);
    }
    let mut out = Out::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    out.line(format_args!(
        "{}: {}",
        text(&answer["verdict"]),
        text(&answer["message"])
    ))?;
    for finding in answer["findings"].as_array().into_iter().flatten() {
        report::finding(&mut out, finding)?;
    }
    out.end(exit)
}

/// Prints again and again until Ctrl-C, which is how this ends well.
fn watch(context: &Context, every: Duration) -> Outcome {
    let mut out = Out::new();
    while !context.interrupt.is_raised() {
        show(
            context,
            &mut out,
            &get(context, "/admin/v1/memory/status/")?,
        )?;
        if !context.is_json() {
            out.line("")?;
        }
        out.flush()?;
        context.interrupt.wait(every);
    }
    out.end(Exit::Done)
}

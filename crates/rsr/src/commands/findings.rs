//! `rsr findings`: what the running service's monitor has found wrong.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::commands::service::{get, post, show};
use crate::commands::tokens::Expires;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Out;
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Findings {
    /// Findings, the oldest first; exit 1 where one is open that nobody has taken note of
    #[command(after_help = "Example: rsr findings list")]
    List,
    /// Takes note of a finding, so that no one is told for a while
    #[command(
        after_help = "Example: rsr findings ack 3 --for 7d --note \"fixed in the next release\""
    )]
    Ack {
        /// The finding's number in the list
        id: u64,
        /// For how long: 12h, 7d
        #[arg(long = "for", default_value = "7d", value_name = "TIME")]
        time: Expires,
        /// Why
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
}

/// Runs the action asked for.
pub(crate) fn run(context: &Context, which: &Findings) -> Outcome {
    match which {
        Findings::List => list(context),
        Findings::Ack { id, time, note } => acknowledge(context, *id, *time, note),
    }
}

fn list(context: &Context) -> Outcome {
    let answer = get(context, "/admin/v1/findings/")?;
    let findings = answer["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let is_news =
        |finding: &&Value| finding["state"] != "resolved" && finding["acknowledged"].is_null();
    let exit = if findings.iter().any(|finding| is_news(&finding)) {
        Exit::Problems
    } else {
        Exit::Done
    };
    let mut out = Out::new();
    if context.is_json() {
        out.json(&answer)?;
        return out.end(exit);
    }
    if findings.is_empty() {
        out.line("nothing was found")?;
        return out.end(exit);
    }
    let mut table = Table::new(["id", "state", "severity", "indicator", "since", "what"]);
    for finding in findings {
        let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        let state = if finding["acknowledged"].is_null() {
            text("state")
        } else {
            format!("{}, noted", text("state"))
        };
        table.row([
            finding["id"].to_string(),
            state,
            text("severity"),
            text("indicator"),
            text("since"),
            text("description"),
        ]);
    }
    out.text(&table.aligned())?;
    out.end(exit)
}

fn acknowledge(context: &Context, id: u64, time: Expires, note: &str) -> Outcome {
    let time = time.time().ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "--for: a finding is noted for a time, such as 7d",
        )
    })?;
    let body = json!({ "id": id, "for_seconds": time.as_secs(), "note": note });
    let answer = post(context, "/admin/v1/findings/ack/", &body)?;
    let mut out = Out::new();
    show(context, &mut out, &answer)?;
    out.end(Exit::Done)
}

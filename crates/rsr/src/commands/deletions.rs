//! `rsr deletions`: the deletion tracker of the running service.

use serde_json::json;

use crate::cli::Deletions;
use crate::commands::service::{get, post, show};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::output::Out;

/// Runs the action asked for.
pub(crate) fn run(context: &Context, which: &Deletions) -> Outcome {
    let answer = match which {
        Deletions::Stats => get(context, "/admin/v1/deletions/")?,
        Deletions::Cleanup { dry_run } => post(
            context,
            "/admin/v1/deletions/cleanup/",
            &json!({"dry_run": dry_run}),
        )?,
    };
    let mut out = Out::new();
    show(context, &mut out, &answer)?;
    out.end(Exit::Done)
}

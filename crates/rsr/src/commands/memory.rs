//! `rsr memory`: the memory monitor of the running service.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::Memory;
use crate::commands::service::{accepted, get, post, show};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::output::Out;

/// Runs the action asked for.
pub(crate) fn run(context: &Context, which: &Memory) -> Outcome {
    match which {
        Memory::Status { watch: None } => once(
            context,
            &get(context, "/admin/v1/memory/status/")?,
            Exit::Done,
        ),
        Memory::Status {
            watch: Some(seconds),
        } => watch(context, Duration::from_secs(*seconds)),
        Memory::HealthCheck => health(context),
        Memory::CheckLeaks { reset } => {
            let answer = post(
                context,
                "/admin/v1/memory/check-leaks/",
                &json!({"reset": reset}),
            )?;
            let leaks = matches!(answer["verdict"].as_str(), Some("suspected" | "confirmed"));
            once(
                context,
                &answer,
                if leaks { Exit::Problems } else { Exit::Done },
            )
        }
        Memory::Summary => once(
            context,
            &get(context, "/admin/v1/memory/summary/")?,
            Exit::Done,
        ),
    }
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

//! `rsr cache`: the caches of the running service.

use serde_json::{Value, json};

use crate::cli::{Cache, CacheChoice};
use crate::commands::service::{get, post, show, with_query};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::output::Out;

/// Runs the action asked for.
pub(crate) fn run(context: &Context, which: &Cache) -> Outcome {
    let answer = match which {
        Cache::Stats(choice) => get(context, &path("/admin/v1/caches/", choice))?,
        Cache::Monitor(choice) => get(context, &path("/admin/v1/caches/monitor/", choice))?,
        Cache::Cleanup { choice, dry_run } => post(
            context,
            "/admin/v1/caches/cleanup/",
            &body(choice, *dry_run),
        )?,
        Cache::Clear { choice, dry_run } => {
            post(context, "/admin/v1/caches/clear/", &body(choice, *dry_run))?
        }
    };
    let mut out = Out::new();
    show(context, &mut out, &answer)?;
    out.end(judged(&answer))
}

fn path(path: &str, choice: &CacheChoice) -> String {
    with_query(path, "name", choice.cache_name.as_deref())
}

fn body(choice: &CacheChoice, dry_run: bool) -> Value {
    json!({"name": choice.cache_name, "dry_run": dry_run})
}

/// Only the monitor's answer has issues; one of them high is a problem.
fn judged(answer: &Value) -> Exit {
    let issues = answer["issues"].as_array();
    let is_urgent = issues
        .into_iter()
        .flatten()
        .any(|issue| issue["severity"] == "high");
    if is_urgent {
        Exit::Problems
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_high_issues_are_problems() {
        assert_eq!(judged(&json!({"caches": {}})), Exit::Done);
        assert_eq!(
            judged(&json!({"issues": [{"severity": "medium"}]})),
            Exit::Done
        );
        assert_eq!(
            judged(&json!({"issues": [{"severity": "low"}, {"severity": "high"}]})),
            Exit::Problems
        );
    }
}

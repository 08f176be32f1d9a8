//! `rsr doctor`: whether this machine and these settings can run the service, and the remedy for each thing that is not.

use std::fs;
use std::path::Path;

use rsr_base::{ByteSize, read_file_at_most};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out};

/// Most bytes read of a file below `/proc`.
const PROC_FILE_MAX: ByteSize = ByteSize::from_kib(64);
/// Open files below which many clients at once are refused.
const OPEN_FILES_MIN: u64 = 1024;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    part: &'static str,
    state: String,
    /// What to do, where something is wrong.
    remedy: Option<String>,
}

impl Finding {
    fn good(part: &'static str, state: impl Into<String>) -> Self {
        Self {
            part,
            state: state.into(),
            remedy: None,
        }
    }

    fn bad(part: &'static str, state: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            part,
            state: state.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// Looks at everything; exit 1 where anything needs a remedy.
pub(crate) fn run(context: &Context) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    let findings = [
        open_files(),
        swap(),
        database(context),
        service(context),
        profiles_folder(context),
    ];
    let mut out = Out::new();
    for finding in &findings {
        print(&mut out, context.is_json(), finding)?;
    }
    let needs_remedy = findings.iter().any(|finding| finding.remedy.is_some());
    out.end(if needs_remedy {
        Exit::Problems
    } else {
        Exit::Done
    })
}

fn print(out: &mut Out, is_json: bool, finding: &Finding) -> Result<(), Failure> {
    let Finding {
        part,
        state,
        remedy,
    } = finding;
    if is_json {
        return out.json(
            &json!({ "part": part, "ok": remedy.is_none(), "state": state, "remedy": remedy }),
        );
    }
    match remedy {
        None => out.line(format_args!("ok    {part}: {state}")),
        Some(remedy) => {
            out.line(format_args!("warn  {part}: {state}"))?;
            out.line(format_args!("      {remedy}"))
        }
    }
}

fn open_files() -> Finding {
    let text = read_file_at_most(Path::new("/proc/self/limits"), PROC_FILE_MAX).unwrap_or_default();
    judge_open_files(&text)
}

fn judge_open_files(limits: &str) -> Finding {
    const PART: &str = "open files";
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    match line.and_then(|line| line.split_whitespace().next()) {
        Some("unlimited") => Finding::good(PART, "no limit"),
        Some(limit) => match limit.parse::<u64>() {
            Ok(limit) if limit < OPEN_FILES_MIN => Finding::bad(
                PART,
                format!("at most {limit}"),
                format!(
                    "raise the limit: `ulimit -n {}`, or LimitNOFILE in the service's unit",
                    64 * OPEN_FILES_MIN
                ),
            ),
            Ok(limit) => Finding::good(PART, format!("at most {limit}")),
            Err(_) => Finding::good(PART, "not known on this system"),
        },
        None => Finding::good(PART, "not known on this system"),
    }
}

fn swap() -> Finding {
    let text = read_file_at_most(Path::new("/proc/meminfo"), PROC_FILE_MAX).unwrap_or_default();
    judge_swap(&text)
}

fn judge_swap(meminfo: &str) -> Finding {
    const PART: &str = "swap";
    let kib = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let (Some(total), Some(free)) = (kib("SwapTotal:"), kib("SwapFree:")) else {
        return Finding::good(PART, "not known on this system");
    };
    let used = total.saturating_sub(free);
    let state = format!(
        "{} of {} in use",
        ByteSize::from_kib(used),
        ByteSize::from_kib(total)
    );
    if total > 0 && used.saturating_mul(2) > total {
        return Finding::bad(
            PART,
            state,
            "the machine is short of memory: lower memory.limit, or give it more",
        );
    }
    Finding::good(PART, if total == 0 { "none".to_owned() } else { state })
}

fn database(context: &Context) -> Finding {
    const PART: &str = "database";
    let url = &context.settings().database.url;
    if let Some(path) = url.sqlite_path()
        && !Path::new(path).exists()
    {
        return Finding::good(
            PART,
            format!("{url} is not there yet; `rsr serve` or an import makes it"),
        );
    }
    match context.store().and_then(|store| Ok(store.snapshot()?)) {
        Ok(_snapshot) => Finding::good(PART, format!("{url} answers")),
        Err(failure) => Finding::bad(
            PART,
            failure.to_string(),
            "name another with --database, or restore a backup",
        ),
    }
}

fn service(context: &Context) -> Finding {
    const PART: &str = "service";
    let socket = context.settings().server.admin_socket.display();
    match context.client().get_blocking("/health/ready") {
        Ok(answer) if answer.is_success() => Finding::good(PART, format!("answers on {socket}")),
        Ok(answer) => Finding::bad(
            PART,
            format!(
                "answers on {socket} that it is not ready: {}",
                reasons(&answer.body)
            ),
            "see `rsr memory health-check`",
        ),
        Err(rsr_service::client::Error::NotRunning { .. }) => Finding::good(
            PART,
            format!("none answers on {socket}; `rsr serve` starts one"),
        ),
        Err(error) => Finding::bad(PART, error.to_string(), "restart it, and see its log"),
    }
}

fn reasons(body: &Value) -> String {
    match body.get("detail").and_then(Value::as_str) {
        Some(detail) => detail.to_owned(),
        None => body.to_string(),
    }
}

fn profiles_folder(context: &Context) -> Finding {
    use std::os::unix::fs::PermissionsExt;

    const PART: &str = "profiles folder";
    let path = &context.settings().profiling.output_dir;
    let shown = path.display();
    match fs::metadata(path) {
        Err(_) => Finding::good(PART, format!("{shown} is not there yet")),
        Ok(metadata) if !metadata.is_dir() => Finding::bad(
            PART,
            format!("{shown} is no folder"),
            "set profiling.output_dir to a folder of its own",
        ),
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Finding::bad(
            PART,
            format!("{shown} can be entered by other users"),
            format!("profiles tell what is in memory: `chmod 700 {shown}`"),
        ),
        Ok(_) => Finding::good(PART, format!("{shown} is private")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_open_files_are_a_warning() {
        let limits = |n: &str| {
            format!(
                "Limit  Soft Limit  Hard Limit  Units\nMax open files            {n}   4096   files\n"
            )
        };
        assert_eq!(judge_open_files(&limits("65536")).remedy, None);
        assert_eq!(judge_open_files(&limits("unlimited")).remedy, None);
        assert_eq!(judge_open_files("").remedy, None);
        let finding = judge_open_files(&limits("256"));
        assert_eq!(finding.state, "at most 256");
        assert!(finding.remedy.unwrap().contains("ulimit -n 65536"));
    }

    #[test]
    fn swap_that_is_half_used_is_a_warning() {
        let meminfo = |total: u64, free: u64| {
            format!("MemTotal: 1 kB\nSwapTotal: {total} kB\nSwapFree: {free} kB\n")
        };
        assert_eq!(judge_swap(&meminfo(0, 0)), Finding::good("swap", "none"));
        assert_eq!(judge_swap(&meminfo(1000, 600)).remedy, None);
        assert!(judge_swap(&meminfo(1000, 400)).remedy.is_some());
        assert_eq!(judge_swap("").remedy, None);
    }
}

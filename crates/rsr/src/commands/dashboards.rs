//! `rsr dashboards`: the files that watch the service from outside.

use std::fs;

use rsr_service::provisioning;
use serde_json::json;

use crate::cli::{Common, Dashboards};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out};

/// Writes the files, each whole before the next.
pub(crate) fn run(common: &Common, command: &Dashboards) -> Outcome {
    let Dashboards::Export { folder } = command;
    let files = provisioning().map_err(|error| Failure::of(Exit::PartWay, error))?;
    let mut out = Out::new();
    let mut written = Vec::new();
    for file in files {
        let path = folder.join(file.path);
        let failed = |error| {
            Failure::of(Exit::PartWay, error).context(format!("cannot write {}", path.display()))
        };
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(failed)?;
        fs::write(&path, file.text).map_err(failed)?;
        match common.format() {
            Format::Json => written.push(path.display().to_string()),
            _ => out.line(path.display())?,
        }
    }
    if common.format() == Format::Json {
        out.json(&json!({ "written": written }))?;
    }
    out.end(Exit::Done)
}

//! `rsr completions` and `rsr manual`: the commands, told to shells, to `man`, and as a page.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{ArgAction, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::{Cli, Manual};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Out, note};

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> Outcome {
    let mut out = Out::new();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rsr", &mut script);
    out.text(&String::from_utf8_lossy(&script))?;
    out.end(Exit::Done)
}

/// Writes a manual page for each command into a folder, or prints all of them, the routes or the metrics
/// as one page of Markdown.
pub(crate) fn run(flags: &Manual) -> Outcome {
    match &flags.folder {
        Some(folder) => write_pages(folder),
        None => {
            let mut out = Out::new();
            out.text(&match flags {
                Manual { api: true, .. } => rsr_service::api_reference(),
                Manual { metrics: true, .. } => rsr_service::metrics_reference(),
                _ => page(),
            })?;
            out.end(Exit::Done)
        }
    }
}

fn write_pages(folder: &Path) -> Outcome {
    let failed = |error: std::io::Error| {
        Failure::of(Exit::PartWay, error).context(format!(
            "cannot write manual pages into {}",
            folder.display()
        ))
    };
    fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(built(), folder).map_err(failed)?;
    note(format_args!(
        "wrote the manual pages into {}: man -l {}/rsr.1",
        folder.display(),
        folder.display()
    ));
    Ok(Exit::Done)
}

fn built() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// Every command with its arguments, its flags and its example. Flags of all commands stand once, at the top.
fn page() -> String {
    let program = built();
    let mut page = String::from(
        "# Commands\n\nWritten by `rsr manual` from the definitions that the program parses with; do not edit by hand.\n\n\
         Flags of every command:\n\n| flag | meaning |\n|---|---|\n",
    );
    let is_common = |argument: &&clap::Arg| argument.is_global_set();
    for argument in program.get_arguments().filter(is_common) {
        flag(argument, &mut page);
    }
    page.push_str("\nExit codes: ");
    let said = program
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    page.push_str(said.rsplit("Exit codes: ").next().unwrap_or_default());
    page.push_str(".\n");
    section(&program, "rsr", &mut page);
    page
}

fn section(command: &clap::Command, name: &str, page: &mut String) {
    for sub in command.get_subcommands() {
        if sub.get_name() == "help" || sub.is_hide_set() {
            continue;
        }
        let name = format!("{name} {}", sub.get_name());
        if sub.get_subcommands().next().is_none() {
            one(sub, &name, page);
        }
        section(sub, &name, page);
    }
}

fn one(command: &clap::Command, name: &str, page: &mut String) {
    let own: Vec<_> = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set() && !argument.is_hide_set())
        .filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()))
        .collect();
    let mut usage = name.to_owned();
    for argument in own.iter().filter(|argument| argument.is_positional()) {
        let value = argument.get_id().as_str().to_uppercase();
        let more = if matches!(argument.get_action(), ArgAction::Append) {
            "…"
        } else {
            ""
        };
        if argument.is_required_set() {
            let _written = write!(usage, " {value}{more}");
        } else {
            let _written = write!(usage, " [{value}{more}]");
        }
    }
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let _written = write!(page, "\n## `{usage}`\n\n{about}.\n");
    if !own.is_empty() {
        page.push_str("\n| argument | meaning |\n|---|---|\n");
    }
    for argument in own {
        flag(argument, page);
    }
    if let Some(example) = command.get_after_help() {
        let example = example.to_string();
        let example = example.trim().trim_start_matches("Example: ");
        let _written = write!(
            page,
            "\nExample: `{}`\n",
            example.lines().next().unwrap_or_default()
        );
    }
}

fn flag(argument: &clap::Arg, page: &mut String) {
    let mut name = match (argument.get_long(), argument.get_short()) {
        (Some(long), Some(short)) => format!("--{long}, -{short}"),
        (Some(long), None) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => argument.get_id().as_str().to_uppercase(),
    };
    if !argument.is_positional() && argument.get_action().takes_values() {
        for value in argument.get_value_names().unwrap_or_default() {
            let _written = write!(name, " {value}");
        }
    }
    let mut help = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let defaults = argument.get_default_values();
    if let (Some(default), true) = (defaults.first(), argument.get_action().takes_values()) {
        let _written = write!(help, " (default {})", default.to_string_lossy());
    }
    let _written = writeln!(page, "| `{name}` | {} |", help.replace('|', "\\|"));
}

//! What is wrong with a command line, said in one line with the way out.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

/// What is wrong with these arguments. Where a command is missing or mistyped, the line has those that there are.
pub(crate) fn said_of(error: &clap::Error, arguments: impl Iterator<Item = OsString>) -> String {
    let mut program = Cli::command();
    program.build();
    let mistyped = context(error, ContextKind::InvalidSubcommand);
    let (command, words) = reached(&program, arguments, &mistyped);
    let help = format!(
        "see `rsr {}--help`",
        words
            .iter()
            .map(|word| format!("{word} "))
            .collect::<String>()
    );
    let name = match words.as_slice() {
        [] => "rsr".to_owned(),
        words => format!("`{}`", words.join(" ")),
    };
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            let all = commands_of(command);
            match words.as_slice() {
                [] => format!("a command is needed: {all}; {help}"),
                _ => format!("{name} needs a command: {all}; {help}"),
            }
        }
        ErrorKind::InvalidSubcommand => {
            match context(error, ContextKind::SuggestedSubcommand).as_str() {
                "" => format!(
                    "{name} has no command {mistyped:?}, it has {}; {help}",
                    commands_of(command)
                ),
                meant => format!("{name} has no command {mistyped:?}: is {meant} meant? {help}"),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            let needed = context(error, ContextKind::InvalidArg);
            format!("{name} needs {}; {help}", one_of(&needed))
        }
        ErrorKind::UnknownArgument => {
            let flag = context(error, ContextKind::InvalidArg);
            match meant(&flag) {
                Some(meant) => format!("{name} has no {flag}: {meant}; {help}"),
                None => format!("{}; {help}", one_line(&error.to_string())),
            }
        }
        _ => {
            let said = one_line(&error.to_string());
            // What Rust says of a number that is none.
            let said = said.replace("invalid digit found in string", "give a whole number");
            format!("{said}; {help}")
        }
    }
}

/// What is meant by a flag that other programs have, or by a number below zero where a flag may stand.
fn meant(flag: &str) -> Option<&'static str> {
    match flag {
        "--port" | "-p" | "--host" | "--bind" | "--address" => {
            Some("write --listen 127.0.0.1:8000, address and port in one")
        }
        "--db" | "-d" => Some("write --database sqlite://FILE"),
        "--settings" | "-c" => Some("write --config FILE"),
        "--output-format" | "-f" => Some("write --format text, json, tsv or html"),
        _ => {
            let digits = flag.strip_prefix('-')?;
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then_some("numbers begin at 0 or 1 here")
        }
    }
}

/// The command that the words before a mistyped one lead to, and those words.
fn reached<'p>(
    program: &'p Command,
    arguments: impl Iterator<Item = OsString>,
    mistyped: &str,
) -> (&'p Command, Vec<&'p str>) {
    let mut command = program;
    let mut words = Vec::new();
    for argument in arguments {
        if argument.to_str() == Some(mistyped) {
            break;
        }
        if let Some(sub) = argument
            .to_str()
            .and_then(|word| command.find_subcommand(word))
        {
            command = sub;
            words.push(sub.get_name());
        }
    }
    (command, words)
}

fn commands_of(command: &Command) -> String {
    let names: Vec<_> = command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help" && !sub.is_hide_set())
        .map(Command::get_name)
        .collect();
    names.join(", ")
}

fn context(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(" or "),
        _ => String::new(),
    }
}

/// Flags of which one is needed, `<--one|--other>` for clap, as people say it.
fn one_of(needed: &str) -> String {
    let flags = needed
        .strip_prefix("<--")
        .and_then(|rest| rest.strip_suffix('>'));
    flags.map_or_else(
        || needed.to_owned(),
        |flags| format!("--{}", flags.replace('|', " or ")),
    )
}

/// What is wrong, hints included, without the usage that `--help` shows in full.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let parts: Vec<_> = lines
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .map(|line| line.trim_start_matches("error: "))
        .collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: &str) {
        let words = || typed.split(' ').map(OsString::from);
        let error = Cli::try_parse_from(words()).unwrap_err();
        let said = said_of(&error, words().skip(1));
        assert!(said.contains(expected), "{typed}: {said}");
        assert!(!said.contains('\n'), "{typed}: {said}");
    }

    #[test]
    fn a_missing_command_is_answered_with_those_there_are() {
        check("rsr", "a command is needed: demo, serve, ");
        check("rsr database", "`database` needs a command: migrate, ");
    }

    #[test]
    fn a_mistyped_command_is_answered_with_the_nearest_or_all() {
        check(
            "rsr aggregat",
            "rsr has no command \"aggregat\": is aggregate meant? see `rsr --help`",
        );
        check(
            "rsr import file.xml",
            "`import` has no command \"file.xml\", it has iati; see `rsr import --help`",
        );
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        check("rsr import iati", "`import iati` needs <PATH>");
        check(
            "rsr aggregate",
            "`aggregate` needs --project <ID> or --all;",
        );
        check(
            "rsr project tree seven",
            "give a whole number; see `rsr project tree --help`",
        );
        check("rsr serve --listen here", "--listen <ADDR>");
        check(
            "rsr serve --port 9000",
            "`serve` has no --port: write --listen 127.0.0.1:8000",
        );
        check(
            "rsr project tree 1 --max-depth -2",
            "has no -2: numbers begin at 0 or 1 here",
        );
    }
}

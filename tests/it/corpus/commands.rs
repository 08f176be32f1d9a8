//! Every command with flags and arguments that it cannot use.

use rsr_tests::{run, run_expecting};

use super::Outcome;

/// Arguments after a command, alone or together.
const ARGUMENTS: [&[&str]; 8] = [
    &["--no-such-flag"],
    &["--config", "no/such/file.toml"],
    &["--profile", "no-such-profile"],
    &["--database", "mysql://x"],
    &["--database", "sqlite://no/such/folder/x.db"],
    &["--format", "yaml"],
    &["\u{1f4a9}", "-1", "--", "--"],
    &["--database"],
];

/// Names of the commands below one, as its help lists them.
fn below(folder: &std::path::Path, command: &[String]) -> Vec<String> {
    let arguments: Vec<&str> = command
        .iter()
        .map(String::as_str)
        .chain(["--help"])
        .collect();
    let help = run_expecting(folder, 0, arguments).out;
    let Some((_, list)) = help.split_once("Commands:\n") else {
        return Vec::new();
    };
    list.lines()
        .take_while(|line| !line.trim().is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("    "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_command_takes_what_it_cannot_use() {
    let folder = tempfile::tempdir().unwrap();
    let mut outcome = Outcome::default();
    let mut waiting: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(command) = waiting.pop() {
        let names = below(folder.path(), &command);
        let is_leaf = names.is_empty();
        waiting.extend(names.into_iter().map(|name| {
            let mut longer = command.clone();
            longer.push(name);
            longer
        }));
        if !is_leaf {
            continue;
        }
        for arguments in ARGUMENTS {
            // The help comes last, so that what a command would accept is not done.
            let all = command
                .iter()
                .map(String::as_str)
                .chain(arguments.iter().copied());
            let all: Vec<&str> = all.collect();
            if all.first() == Some(&"serve")
                || all.first() == Some(&"demo")
                || all.first() == Some(&"worker")
            {
                if arguments.contains(&"--no-such-flag") || arguments == ["--database"] {
                    check(folder.path(), &all, &mut outcome);
                }
                continue;
            }
            check(folder.path(), &all, &mut outcome);
        }
    }
    outcome.end(200);
}

fn check(folder: &std::path::Path, all: &[&str], outcome: &mut Outcome) {
    let said = run(folder, all);
    let is_plain = !said.err.contains("panicked") && !said.err.contains("RUST_BACKTRACE");
    // Without what it names, a command that needs nothing of the sort may well do its work.
    let is_known = (0..=4).contains(&said.code);
    let is_said = said.code == 0 || said.code == 1 || !said.err.trim().is_empty();
    outcome.check(is_plain && is_known && is_said, || {
        format!("rsr {}: {}: {}", all.join(" "), said.code, said.err)
    });
}

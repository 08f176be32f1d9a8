//! The arguments, and passwords among them out of the process list.
//!
//! Whoever may list processes sees what they were started with. Where an argument holds an address with a password, the
//! program starts itself anew in the same process: the password is masked among the arguments then, and stands in the
//! environment, which a system shows to nobody but the process's owner.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rsr_settings::DatabaseUrl;

/// What was masked: the process it is for, then a line for each argument, its number before it.
const VARIABLE: &str = "MASKED_ARGUMENTS_OF_RSR";

/// All arguments as they were given, the program's name first.
///
/// Where the program cannot be started anew it goes on as it is.
pub(crate) fn all() -> Vec<OsString> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    #[expect(
        clippy::disallowed_methods,
        reason = "these are arguments, not settings: they are read where arguments are"
    )]
    let masked = std::env::var(VARIABLE);
    if let Some(given) = masked.ok().as_deref().and_then(of_this_process) {
        for (nth, argument) in given {
            if let Some(place) = arguments.get_mut(nth) {
                *place = argument.into();
            }
        }
        return arguments;
    }
    let mut shown = arguments.clone();
    let mut given = std::process::id().to_string();
    for (nth, place) in shown.iter_mut().enumerate().skip(1) {
        if let Some((argument, masked)) = place.to_str().and_then(|text| Some((text, mask(text)?)))
        {
            given.push_str(&format!("\n{nth} {argument}"));
            *place = masked.into();
        }
    }
    let mut shown = shown.into_iter();
    if let (true, Some(name), Ok(program)) =
        (given.contains('\n'), shown.next(), std::env::current_exe())
    {
        let mut again = Command::new(program);
        // Comes back only where that fails.
        let _error = again.arg0(name).args(shown).env(VARIABLE, given).exec();
    }
    arguments
}

/// The arguments that were masked, by number, where it was this process that masked them and not one that started it.
fn of_this_process(masked: &str) -> Option<Vec<(usize, &str)>> {
    let mut lines = masked.lines();
    if lines.next()?.parse() != Ok(std::process::id()) {
        return None;
    }
    let number = |line: &'_ str| -> Option<usize> { line.split_once(' ')?.0.parse().ok() };
    lines
        .map(|line| Some((number(line)?, line.split_once(' ')?.1)))
        .collect()
}

/// An argument that holds an address with a password, without that password.
fn mask(argument: &str) -> Option<String> {
    let start = ["postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| argument.find(scheme))?;
    let (before, address) = argument.split_at(start);
    let is_line = !argument.contains(['\n', '\r']);
    let masked = address.parse::<DatabaseUrl>().ok()?.to_string();
    (is_line && masked != address).then(|| format!("{before}{masked}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(argument: &str, expected: Option<&str>) {
        assert_eq!(mask(argument).as_deref(), expected);
    }

    #[test]
    fn addresses_with_a_password_are_masked() {
        check("postgres://me:s@db/rsr", Some("postgres://me:***@db/rsr"));
        check(
            "--database=postgresql://db/rsr?password=s",
            Some("--database=postgresql://db/rsr?password=***"),
        );
    }

    #[test]
    fn everything_else_stays() {
        for argument in ["serve", "postgres://me@db/rsr", "sqlite://a:b@c", "a:b@c"] {
            check(argument, None);
        }
    }

    #[test]
    fn what_another_process_masked_is_nothing_to_this_one() {
        let own = format!("{}\n2 postgres://me:s@db/a b", std::process::id());
        let expected = vec![(2, "postgres://me:s@db/a b")];
        assert_eq!(of_this_process(&own), Some(expected));
        assert_eq!(of_this_process("0\n2 postgres://me:s@db/rsr"), None);
    }
}

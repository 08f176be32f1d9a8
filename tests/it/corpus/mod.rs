//! Bad input for everything that takes any: each parameter and field of each route, each setting, each command.
//!
//! The tables are made from what the program says of itself: its description of the API, its list of settings, its commands.
//! What is new in it is in the corpus at once. Whatever is put in, there is no panic, no 500 and no hang, and what is refused is
//! named.

mod commands;
mod http;
mod settings;
mod smuggling;

/// Cases that make a corpus: fewer means that a table was not found.
const CASES_MIN: usize = 500;

/// What went wrong, of how many cases.
#[derive(Debug, Default)]
struct Outcome {
    n_cases: usize,
    wrong: Vec<String>,
}

impl Outcome {
    fn check(&mut self, is_good: bool, what: impl FnOnce() -> String) {
        self.n_cases += 1;
        if !is_good {
            self.wrong.push(what());
        }
    }

    /// Ends the test, with the first of what went wrong.
    #[track_caller]
    fn end(&self, n_min: usize) {
        assert!(self.n_cases >= n_min, "only {} cases", self.n_cases);
        let first: Vec<_> = self.wrong.iter().take(25).cloned().collect();
        assert!(
            first.is_empty(),
            "{} of {} cases:\n{}",
            self.wrong.len(),
            self.n_cases,
            first.join("\n")
        );
    }
}

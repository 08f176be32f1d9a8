//! `rsr project`: a hierarchy drawn, and what is broken in the data.

mod check;
mod tree;
mod values;
mod walk;

use rsr_base::ProjectId;

use crate::cli::Project;
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::Format;

/// Runs the action asked for.
pub(crate) fn run(context: &Context, which: &Project) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    match which {
        Project::Tree { id, max_depth } => tree::run(context, ProjectId(*id), *max_depth),
        Project::Check { fix } => check::run(context, *fix),
    }
}

/// A number with its thousands apart: `9,214`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (9_214, "9,214"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}

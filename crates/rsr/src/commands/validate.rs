//! `rsr validate iati`: schema, codelists and rules over files, in one pass each.

use rsr_iati::report::Severity;
use rsr_iati::validate::{Group, Options, validate};

use crate::cli::{Validate, ValidateIati};
use crate::commands::files::{Input, inputs};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format, Out};
use crate::progress::Progress;

/// Checks files, or explains a code.
pub(crate) fn run(context: &Context, which: &Validate) -> Outcome {
    let Validate::Iati(flags) = which;
    context.accept(&[Format::Text, Format::Json])?;
    if let Some(code) = &flags.explain {
        return explain(code);
    }
    let mut worst = Exit::Done;
    let mut out = Out::new();
    for input in inputs(&flags.paths)? {
        if context.interrupt.is_raised() {
            out.flush()?;
            return Err(Failure::new(
                Exit::PartWay,
                format_args!("stopped before {}: the files named so far are checked", input.name()),
            ));
        }
        let exit = one(context, flags, &input, &mut out)?;
        worst = if exit == Exit::PartWay || worst == Exit::PartWay { Exit::PartWay } else { exit.max(worst) };
    }
    out.end(worst)
}

fn explain(code: &str) -> Outcome {
    let Some(text) = rsr_iati::report::explain(code) else {
        return Err(Failure::new(
            Exit::Usage,
            format_args!("no finding has the code {code:?}: take one from the output of `rsr validate iati`"),
        ));
    };
    let mut out = Out::new();
    out.line(text)?;
    out.end(Exit::Done)
}

//! Prints what is wrong in the files named on the command line, a line each: `file:line: level code message`.
#![expect(clippy::print_stdout, reason = "it prints")]

use std::fs::File;

use rsr_iati::validate::{Options, validate};

fn main() -> std::io::Result<()> {
    for path in std::env::args().skip(1) {
        let summary = validate(File::open(&path)?, &Options::default(), &mut |group| {
            for finding in &group.findings {
                println!("{path}:{finding}");
            }
        });
        println!("{path}: {summary:?}");
    }
    Ok(())
}

//! Prints the public items of a crate, a line each, from the JSON that rustdoc wrote of it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use public_api::Builder;

fn main() -> ExitCode {
    let Some(json) = std::env::args_os().nth(1) else {
        eprintln!("usage: public-api-of FILE.json");
        return ExitCode::from(2);
    };
    // What the compiler derives by itself for every type is left out: it says nothing of what a change means.
    let api = Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build();
    match api {
        Ok(api) => {
            for item in api.items() {
                println!("{item}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!(
                "{}: {error}: was it written by the toolchain that Cargo.toml names?",
                json.display()
            );
            ExitCode::FAILURE
        }
    }
}

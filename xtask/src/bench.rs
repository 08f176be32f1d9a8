//! `cargo xtask bench NAME`: ours and its peers in one run.

use anyhow::{Result, bail};

use crate::run;

/// A name that people type, and the bench binaries behind it.
const BENCHES: [(&str, &[(&str, &str)]); 4] = [
    (
        "cache",
        &[
            ("rsr-cache", "speed"),
            ("rsr-cache", "bytes"),
            ("rsr-deletion", "tracker"),
        ],
    ),
    ("aggregation", &[("rsr-aggregation", "aggregation")]),
    ("iati", &[("rsr-iati", "iati"), ("rsr-iati", "validate")]),
    ("leaks", &[("rsr-monitoring", "leaks")]),
];

/// Runs the benches of that name; answers whether they ended well.
pub(crate) fn run(name: &str, quick: bool, json: bool) -> Result<bool> {
    let Some((_, binaries)) = BENCHES.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = BENCHES.iter().map(|(known, _)| *known).collect();
        bail!(
            "there is no bench {name:?}: take one of {}",
            known.join(", ")
        );
    };
    let mut is_good = true;
    for (package, binary) in *binaries {
        let mut bench = run::cargo(&["bench", "--locked", "--quiet", "--all-features"]);
        bench.args(["--package", package, "--bench", binary, "--"]);
        bench
            .args(quick.then_some("--quick"))
            .args(json.then_some("--json"));
        is_good &= run::passes(bench)?;
    }
    Ok(is_good)
}

//! Every setting with what it cannot be.

use rsr_tests::{rsr, run_expecting};
use serde_json::Value;

use super::Outcome;

/// Values that most settings refuse. Texts and paths take nearly all of them.
const VALUES: [&str; 8] = [
    "",
    "-1",
    "nonsense \u{1f4a9}",
    "99999999999999999999999999",
    "1e400",
    "NaN",
    "12 parsecs",
    "\n[server]\nlisten = \"0.0.0.0:1\"",
];

#[test]
fn no_value_of_a_setting_passes_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let shown = run_expecting(folder.path(), 0, ["settings", "show", "--json"]);
    let settings: Value = serde_json::from_str(&shown.out).unwrap();
    let mut outcome = Outcome::default();
    for setting in settings.as_array().unwrap() {
        let (Some(variable), Some(key)) = (setting["variable"].as_str(), setting["key"].as_str())
        else {
            continue;
        };
        for value in VALUES {
            let done = rsr(folder.path())
                .args(["settings", "check"])
                .env(variable, value)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            let code = done.status.code();
            let is_accepted = code == Some(0);
            let is_named = code == Some(2) && (said.contains(variable) || said.contains(key));
            let is_plain = !said.contains("panicked") && !said.contains("RUST_BACKTRACE");
            outcome.check(is_plain && (is_accepted || is_named), || {
                format!("{variable}={value:?}: {code:?}: {said}")
            });
        }
    }
    outcome.end(VALUES.len() * 80);
}

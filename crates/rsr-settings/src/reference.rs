//! The reference page of all settings.

use std::fmt::Write;

use crate::choice::Profile;
use crate::load::OTHER_VARIABLES;
use crate::table::Setting;
use crate::tree::TABLE;

const HEAD: &str = "\
# Settings

Written by `rsr settings reference` from the table in `rsr-settings`; do not edit by hand.

Later sources win: the defaults, the profile, the settings file (`--config`, `RSR_CONFIG`, else `rsr.toml` in the working
folder), the variables, the command-line flags. `rsr settings show` prints every value with its source, `rsr settings check`
everything that is wrong.

- Times take a plain number in the unit of the column *type*, or a text with a unit: `100ms`, `30m`, `1h`, `7d`.
- Sizes take a plain number in the unit of the column *type*, or a text with a unit: `64MiB`, `10MB`.
- Switches take `true`, `1`, `yes`, `on`, `false`, `0`, `no`, `off`, in any case. Ratios take `0.2` or `20%`.
- `none` (in a variable also an empty text) takes an optional value away.
- `{state}` is `$XDG_STATE_HOME/rsr`, else `$HOME/.local/state/rsr`; `{runtime}` is `$XDG_RUNTIME_DIR/rsr`, else `{state}`;
  without a home both are `.rsr` in the working folder.
- An empty profile cell keeps the default; in the columns low-memory and high-memory it takes production's value.
- *live* settings may change while the service runs: a reload takes them over. The others wait for a restart.
";

/// The Markdown page with every setting: variable, key, type, default, profiles, bounds, whether it is live, meaning.
///
/// `docs/reference/settings.md` holds this text, and a test fails where the two differ.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Variables that are no setting\n\n| variable | meaning |\n|---|---|\n");
    for (name, meaning) in OTHER_VARIABLES {
        line(&mut page, &[&code(name), meaning]);
    }
    let mut section = "";
    for setting in TABLE {
        let of_this = setting.key.split('.').next().unwrap_or_default();
        if of_this != section {
            section = of_this;
            begin(&mut page, section);
        }
        entry(&mut page, setting);
    }
    page
}

fn begin(page: &mut String, section: &str) {
    write!(page, "\n## `[{section}]`\n\n").expect("a String takes any text");
    let profiles: Vec<&str> = Profile::ALL
        .iter()
        .map(|profile| profile.as_str())
        .collect();
    let mut head = vec!["variable", "key", "type", "default"];
    head.extend(profiles);
    head.extend(["bounds", "live", "meaning"]);
    line(page, &head);
    page.push_str(&format!("|{}\n", "---|".repeat(head.len())));
}

fn entry(page: &mut String, setting: &Setting) {
    let row = &setting.row;
    let mut cells = vec![
        code(row.variable),
        code(setting.key),
        (setting.type_name)(),
        code(row.default),
    ];
    cells.extend(
        Profile::ALL
            .iter()
            .map(|profile| row.column(*profile).unwrap_or_default().to_owned()),
    );
    cells.push(row.bounds.in_words());
    cells.push(if row.live { "yes" } else { "" }.to_owned());
    cells.push(setting.meaning.trim().to_owned());
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    line(page, &cells);
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn line(page: &mut String, cells: &[&str]) {
    page.push('|');
    for cell in cells {
        page.push(' ');
        page.push_str(&cell.replace('|', "\\|"));
        page.push_str(if cell.is_empty() { "|" } else { " |" });
    }
    page.push('\n');
}

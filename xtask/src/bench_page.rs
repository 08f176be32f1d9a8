//! The page of a bench: its rows as a table, and what is known about them.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One compared figure, as a bench prints it with `--json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    case: String,
    ours: f64,
    peer: f64,
    peer_name: String,
    unit: String,
    ratio: f64,
}

/// Reads the rows from a bench's output: `{"bench","case","ours","peer","peer_name","unit","ratio"}` a line.
///
/// # Errors
///
/// A line that is JSON but no such row. Lines that are no JSON object are passed over.
pub fn rows(output: &str) -> Result<Vec<Row>> {
    output
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| row(line).with_context(|| format!("no row of a bench: {line}")))
        .collect()
}

fn row(line: &str) -> Result<Row> {
    let value: Value = serde_json::from_str(line)?;
    let text = |name: &str| {
        let text = value[name].as_str();
        text.map(str::to_owned)
            .with_context(|| format!("{name} is missing"))
    };
    let figure = |name: &str| {
        value[name]
            .as_f64()
            .with_context(|| format!("{name} is missing"))
    };
    Ok(Row {
        case: text("case")?,
        ours: figure("ours")?,
        peer: figure("peer")?,
        peer_name: text("peer_name")?,
        unit: text("unit")?,
        ratio: figure("ratio")?,
    })
}

/// The page. `made` says when, on what and at which commit; `notes` is what a person wrote about the figures.
#[must_use]
pub fn page(bench: &str, made: &str, rows: &[Row], notes: &str) -> String {
    let mut out = format!(
        "# Bench: {bench}\n\nMade by `cargo xtask bench {bench}`, {made}; not changed by hand. Ours and the peer ran in \
         turn in one process; a ratio above 1 means that ours is better. Ratios hold, absolutes are this machine's.\n\n\
         | case | ours | peer | peer is | unit | ratio |\n|---|---|---|---|---|---|\n"
    );
    for row in rows {
        let line = format!(
            "| {} | {} | {} | {} | {} | {:.3} |\n",
            row.case,
            figure(row.ours),
            figure(row.peer),
            row.peer_name,
            row.unit,
            row.ratio
        );
        out.push_str(&line);
    }
    if !notes.trim().is_empty() {
        out.push_str(&format!("\n{}\n", notes.trim()));
    }
    out
}

fn figure(value: f64) -> String {
    if value >= 1e5 {
        format!("{:.2} M", value / 1e6)
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"bench":"cache","case":"default-hit","ours":6800000.0,"peer":7000000.0,"peer_name":"moka","unit":"ops/s","ratio":0.971}"#;

    #[test]
    fn the_page_has_each_row_and_the_notes() {
        let rows = rows(&format!("warming up\n{LINE}\n")).unwrap();
        let page = page("cache", "on a Monday", &rows, "## Notes\n\nNone.\n");
        assert!(page.contains("| default-hit | 6.80 M | 7.00 M | moka | ops/s | 0.971 |\n"));
        assert!(page.contains("`cargo xtask bench cache`, on a Monday;"));
        assert!(page.ends_with("\n\n## Notes\n\nNone.\n"));
    }

    #[test]
    fn a_row_of_another_format_is_told() {
        let error = rows("{\"case\":\"x\"}").unwrap_err();
        assert_eq!(error.to_string(), "no row of a bench: {\"case\":\"x\"}");
    }
}

//! `rsr memory report`: everything known about memory on one page, for people and programs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::commands::service::accepted;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 220.0;

pub(super) fn run(
    context: &Context,
    output: Option<&Path>,
    days: u64,
    check_alerts: bool,
) -> Outcome {
    context.accept(&[Format::Text, Format::Json, Format::Html])?;
    let path = format!("/admin/v1/memory/report/?days={days}");
    let report = accepted(context.client().get_blocking(&path)?)?;
    let text = match context.format {
        Format::Json => format!("{report}\n"),
        Format::Html => html(&report),
        _ => text(&report),
    };
    let exit = if check_alerts && has_news(&report) {
        Exit::Problems
    } else {
        Exit::Done
    };
    if let Some(path) = output {
        write_file(path, text.as_bytes())?;
        return Ok(exit);
    }
    let mut out = Out::new();
    out.text(&text)?;
    out.end(exit)
}

/// Whether a finding is confirmed and nobody has taken note of it, or a part does not do its work.
fn has_news(report: &Value) -> bool {
    let findings = list(&report["findings"]).iter();
    let mut parts = report["health"]["parts"].as_object().into_iter().flatten();
    findings
        .into_iter()
        .any(|finding| finding["state"] == "confirmed" && finding["acknowledged"].is_null())
        || parts.any(|(_, part)| part["state"] == "failing")
}

/// Writes beside the file, then renames: nothing half-written is ever seen.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::of(Exit::PartWay, error)
            .context(format_args!("{} cannot be written", path.display()))
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A size for people; a dash where it is not known.
fn size(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), mib)
}

fn mib(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / 1_048_576.0)
}

/// One finding with what bears it out.
pub(super) fn finding(out: &mut Out, finding: &Value) -> Result<(), Failure> {
    out.text(&finding_text(finding))
}

fn finding_text(finding: &Value) -> String {
    let mut text = format!(
        "[{}] {} {}: {}\n",
        finding["id"],
        word(&finding["state"]),
        word(&finding["indicator"]),
        word(&finding["description"])
    );
    for line in list(&finding["evidence"]) {
        add(&mut text, &format!("      {}", word(line)));
    }
    add(
        &mut text,
        &format!("    do: {}", word(&finding["recommendation"])),
    );
    text
}

fn add(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn text(report: &Value) -> String {
    let memory = &report["memory"];
    let mut text = format!("memory report, {}\n\n", word(&report["generated"]));
    for (name, key) in [
        ("resident", "rss_bytes"),
        ("peak", "peak_bytes"),
        ("heap held", "heap_allocated_bytes"),
        ("limit", "limit_bytes"),
    ] {
        add(&mut text, &format!("{name:>10}  {}", size(&memory[key])));
    }
    add(
        &mut text,
        &format!("\nhealth: {}", word(&report["health"]["overall"])),
    );
    for (name, part) in report["health"]["parts"].as_object().into_iter().flatten() {
        for reason in list(&part["reasons"]) {
            add(&mut text, &format!("  {name}: {}", word(reason)));
        }
    }
    let leaks = &report["leaks"];
    add(
        &mut text,
        &format!(
            "leaks: {}, {}",
            word(&leaks["verdict"]),
            word(&leaks["message"])
        ),
    );
    let trend = list(&report["trend"]);
    if let (Some(first), Some(last)) = (trend.first(), trend.last()) {
        let hours = first["age_seconds"].as_f64().unwrap_or(0.0) / 3600.0;
        let (then, now) = (size(&first["held_bytes"]), size(&last["held_bytes"]));
        add(
            &mut text,
            &format!("trend: held {then} {hours:.1} h ago, {now} now"),
        );
    }
    if !list(&report["findings"]).is_empty() {
        add(&mut text, "\nfindings");
    }
    for finding in list(&report["findings"]) {
        text.push_str(&finding_text(finding));
    }
    add(&mut text, "\ncaches");
    for (name, cache) in report["caches"].as_object().into_iter().flatten() {
        let bytes = size(&cache["bytes"]);
        add(
            &mut text,
            &format!("  {name}: {} entries, {bytes}", cache["size"]),
        );
    }
    if !list(&report["stacks"]).is_empty() {
        add(&mut text, "\nwho holds most");
    }
    for stack in list(&report["stacks"]) {
        let (function, file) = (word(&stack["function"]), word(&stack["file"]));
        let bytes = size(&stack["bytes"]);
        add(
            &mut text,
            &format!("{bytes:>12}  {function} ({file}:{})", stack["line"]),
        );
    }
    if !list(&report["recommendations"]).is_empty() {
        add(&mut text, "\nwhat to do");
    }
    for advice in list(&report["recommendations"]) {
        add(&mut text, &format!("  - {}", word(advice)));
    }
    text
}

/// A text inside HTML.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// One file that needs nothing from elsewhere.
fn html(report: &Value) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>rsr memory report</title><style>\
         body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:56rem;padding:0 1rem;color:#1d2733}\
         h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
         td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d9dee5;vertical-align:top}\
         td.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;height:auto;background:#f7f9fb}\
         .held{stroke:#1769aa}.resident{stroke:#9a6b00}.high,.critical{color:#a8071a}.note{color:#5b6775}\
         </style>\n",
    );
    let generated = plain(word(&report["generated"]));
    write!(
        page,
        "<h1>Memory report</h1><p class=\"note\">{generated}</p>"
    )
    .expect(TAKES);
    let leaks = &report["leaks"];
    write!(
        page,
        "<p>Health <b>{}</b>. Leaks <b>{}</b>: {}.</p><h2>Memory over time</h2>{}",
        plain(word(&report["health"]["overall"])),
        plain(word(&leaks["verdict"])),
        plain(word(&leaks["message"])),
        plot(list(&report["trend"])),
    )
    .expect(TAKES);
    let memory = &report["memory"];
    let rows = [
        "rss_bytes",
        "peak_bytes",
        "heap_allocated_bytes",
        "heap_resident_bytes",
        "limit_bytes",
    ]
    .map(|key| {
        [
            plain(&key.replace("_bytes", "").replace('_', " ")),
            size(&memory[key]),
        ]
    });
    table(&mut page, "Now", &["figure", ""], &rows);
    let findings: Vec<_> = list(&report["findings"])
        .iter()
        .map(|finding| {
            let evidence: Vec<_> = list(&finding["evidence"])
                .iter()
                .map(|line| plain(word(line)))
                .collect();
            let severity = plain(word(&finding["severity"]));
            [
                finding["id"].to_string(),
                format!(
                    "<span class=\"{severity}\">{severity}</span>, {}",
                    plain(word(&finding["state"]))
                ),
                format!(
                    "{}<br><span class=\"note\">{}</span>",
                    plain(word(&finding["description"])),
                    evidence.join("<br>")
                ),
                plain(word(&finding["recommendation"])),
            ]
        })
        .collect();
    table(
        &mut page,
        "Findings",
        &["", "state", "what", "what to do"],
        &findings,
    );
    let caches: Vec<_> = report["caches"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, cache)| {
            [
                plain(name),
                cache["size"].to_string(),
                size(&cache["bytes"]),
            ]
        })
        .collect();
    table(&mut page, "Caches", &["cache", "entries", "bytes"], &caches);
    let stacks: Vec<_> = list(&report["stacks"])
        .iter()
        .map(|stack| {
            let place = format!("{}:{}", word(&stack["file"]), stack["line"]);
            [
                size(&stack["bytes"]),
                plain(word(&stack["function"])),
                plain(&place),
            ]
        })
        .collect();
    table(
        &mut page,
        "Who holds most",
        &["bytes", "function", "where"],
        &stacks,
    );
    page
}

const TAKES: &str = "a string takes all text";

fn table<const N: usize>(page: &mut String, title: &str, head: &[&str; N], rows: &[[String; N]]) {
    write!(page, "<h2>{title}</h2>").expect(TAKES);
    if rows.is_empty() {
        page.push_str("<p class=\"note\">none</p>");
        return;
    }
    page.push_str("<table><tr>");
    for name in head {
        write!(page, "<th>{name}</th>").expect(TAKES);
    }
    page.push_str("</tr>");
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            write!(page, "<td>{cell}</td>").expect(TAKES);
        }
        page.push_str("</tr>");
    }
    page.push_str("</table>\n");
}

/// Held and resident memory over time, as an SVG inside the page.
fn plot(trend: &[Value]) -> String {
    let figure = |moment: &Value, key: &str| moment[key].as_f64().unwrap_or(0.0);
    let oldest = trend
        .iter()
        .map(|moment| figure(moment, "age_seconds"))
        .fold(1.0, f64::max);
    let top = trend
        .iter()
        .map(|moment| figure(moment, "resident_bytes").max(figure(moment, "held_bytes")))
        .fold(1.0, f64::max)
        * 1.1;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Memory held and resident\">"
    );
    for quarter in 1..4 {
        let y = HEIGHT * f64::from(quarter) / 4.0;
        let label = mib(top * f64::from(4 - quarter) / 4.0);
        write!(svg, "<line x1=\"0\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#d9dee5\"/><text x=\"4\" y=\"{}\" font-size=\"11\" fill=\"#5b6775\">{label}</text>", y - 3.0).expect(TAKES);
    }
    for (class, key) in [("resident", "resident_bytes"), ("held", "held_bytes")] {
        write!(
            svg,
            "<polyline class=\"{class}\" fill=\"none\" stroke-width=\"1.5\" points=\""
        )
        .expect(TAKES);
        for moment in trend {
            let x = WIDTH * (1.0 - figure(moment, "age_seconds") / oldest);
            let y = HEIGHT * (1.0 - figure(moment, key) / top);
            write!(svg, "{x:.1},{y:.1} ").expect(TAKES);
        }
        svg.push_str("\"/>");
    }
    write!(svg, "</svg><p class=\"note\"><span style=\"color:#1769aa\">held</span> and <span style=\"color:#9a6b00\">resident</span>, the last {:.1} hours</p>", oldest / 3600.0).expect(TAKES);
    svg
}

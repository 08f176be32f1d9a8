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
         svg text{font-size:11px;fill:#5b6775}polyline{fill:none;stroke-width:1.5}.grid{stroke:#d9dee5}\
         .limit{stroke:#a8071a;stroke-dasharray:6 4}polyline.held{stroke:#1769aa}polyline.resident{stroke:#9a6b00}\
         circle.held{fill:#1769aa}circle.resident{fill:#9a6b00}.key.held{color:#1769aa}.key.resident{color:#9a6b00}\
         .high,.critical{color:#a8071a}.note{color:#5b6775}\
         </style>\n",
    );
    let generated = plain(word(&report["generated"]));
    write!(
        page,
        "<h1>Memory report</h1><p class=\"note\">{generated}</p>"
    )
    .expect(TAKES);
    let (leaks, memory) = (&report["leaks"], &report["memory"]);
    write!(
        page,
        "<p>Health <b>{}</b>. Leaks <b>{}</b>: {}.</p><h2>Memory over time</h2>{}",
        plain(word(&report["health"]["overall"])),
        plain(word(&leaks["verdict"])),
        plain(word(&leaks["message"])),
        plot(list(&report["trend"]), memory["limit_bytes"].as_f64()),
    )
    .expect(TAKES);
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
    let pools: Vec<_> = list(&report["pools"])
        .iter()
        .map(|pool| [plain(word(&pool["name"])), size(&pool["used_bytes"])])
        .collect();
    table(&mut page, "Reserved", &["pool", "bytes"], &pools);
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
    let advice = list(&report["recommendations"]).iter();
    let advice: Vec<_> = advice.map(|one| [plain(word(one))]).collect();
    table(&mut page, "What to do", &[""], &advice);
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

/// Held and resident memory over time with the limit, where it is near enough to be drawn, as an SVG inside the page.
fn plot(trend: &[Value], limit: Option<f64>) -> String {
    /// How far above what was held a limit may lie and still leave the lines a shape.
    const LIMIT_TIMES_MAX: f64 = 4.0;
    if trend.is_empty() {
        return "<p class=\"note\">nothing is known of the time asked for</p>".to_owned();
    }
    let figure = |moment: &Value, key: &str| moment[key].as_f64().unwrap_or(0.0);
    let oldest = trend
        .iter()
        .map(|moment| figure(moment, "age_seconds"))
        .fold(1.0, f64::max);
    let highest = trend
        .iter()
        .map(|moment| figure(moment, "resident_bytes").max(figure(moment, "held_bytes")))
        .fold(1.0, f64::max);
    let limit = limit.filter(|limit| *limit <= LIMIT_TIMES_MAX * highest);
    let top = 1.1 * limit.unwrap_or(0.0).max(highest);
    let y_of = |bytes: f64| HEIGHT * (1.0 - bytes / top);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Memory held and resident over the last {}\">",
        age(oldest)
    );
    for quarter in 1..4 {
        let share = f64::from(quarter) / 4.0;
        let (x, y) = (WIDTH * share, HEIGHT * share);
        let label = mib(top * (1.0 - share));
        let ago = age(oldest * (1.0 - share));
        write!(
            svg,
            "<line class=\"grid\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/><text x=\"4\" y=\"{}\">{label}</text>\
             <line class=\"grid\" x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"{HEIGHT}\"/><text x=\"{}\" y=\"{}\">{ago} ago</text>",
            y - 3.0,
            x + 4.0,
            HEIGHT - 4.0
        )
        .expect(TAKES);
    }
    if let Some(limit) = limit {
        let y = y_of(limit);
        write!(
            svg,
            "<line class=\"limit\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">limit {}</text>",
            WIDTH - 4.0,
            y - 3.0,
            mib(limit)
        )
        .expect(TAKES);
    }
    for (class, key) in [("resident", "resident_bytes"), ("held", "held_bytes")] {
        write!(svg, "<polyline class=\"{class}\" points=\"").expect(TAKES);
        let points = trend.iter().map(|moment| {
            let x = WIDTH * (1.0 - figure(moment, "age_seconds") / oldest);
            (x, y_of(figure(moment, key)))
        });
        let mut newest = (0.0, 0.0);
        for (x, y) in points {
            write!(svg, "{x:.1},{y:.1} ").expect(TAKES);
            newest = (x, y);
        }
        // A line of one point is not drawn; where the newest one is, is worth seeing anyway.
        let (x, y) = newest;
        write!(
            svg,
            "\"/><circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"
        )
        .expect(TAKES);
    }
    write!(
        svg,
        "</svg><p class=\"note\"><span class=\"key held\">held</span> and <span class=\"key resident\">resident</span>, the last {}</p>",
        age(oldest)
    )
    .expect(TAKES);
    svg
}

/// A span of time in the largest unit that leaves a figure above one.
fn age(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else if seconds < 7_200.0 {
        format!("{:.0} min", seconds / 60.0)
    } else if seconds < 172_800.0 {
        format!("{:.1} h", seconds / 3_600.0)
    } else {
        format!("{:.1} days", seconds / 86_400.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{age, html, plot};

    fn moment(age: u64, held: u64) -> Value {
        json!({ "age_seconds": age, "held_bytes": held << 20, "resident_bytes": (held + 10) << 20 })
    }

    /// The points of the line of this class.
    fn points(svg: &str, class: &str) -> Vec<(f64, f64)> {
        let begin = format!("<polyline class=\"{class}\" points=\"");
        let (_, rest) = svg.split_once(&begin).expect("the line is drawn");
        let (points, _) = rest.split_once('"').expect("it ends");
        let pairs = points.split_whitespace().filter_map(|pair| {
            let (x, y) = pair.split_once(',')?;
            Some((x.parse().ok()?, y.parse().ok()?))
        });
        pairs.collect()
    }

    #[test]
    fn time_goes_to_the_right_and_more_is_higher() {
        let trend = [moment(7_200, 100), moment(3_600, 150), moment(0, 200)];
        let svg = plot(&trend, Some(f64::from(400 << 20)));
        let held = points(&svg, "held");
        assert_eq!(held.len(), 3);
        assert!(
            held.windows(2)
                .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1)
        );
        assert!(
            points(&svg, "resident")
                .iter()
                .zip(&held)
                .all(|(resident, held)| resident.1 < held.1)
        );
        let all = points(&svg, "resident").into_iter().chain(held);
        for (x, y) in all {
            assert!(
                (0.0..=860.0).contains(&x) && (0.0..=220.0).contains(&y),
                "{x}, {y}"
            );
        }
        assert!(
            svg.contains("limit 400.0 MiB") && svg.contains("60 min ago"),
            "{svg}"
        );
    }

    #[test]
    fn a_far_limit_does_not_press_the_lines_flat() {
        let trend = [moment(60, 100), moment(0, 200)];
        let svg = plot(&trend, Some(f64::from(1 << 30) * 64.0));
        assert!(!svg.contains("limit"));
        let held = points(&svg, "held");
        assert!(held[0].1 - held[1].1 > 50.0, "{held:?}");
    }

    #[test]
    fn one_moment_is_a_dot_and_none_is_said() {
        let svg = plot(&[moment(0, 100)], None);
        assert!(svg.contains("<circle class=\"held\" cx=\"860.0\""), "{svg}");
        assert!(plot(&[], None).contains("nothing is known"));
    }

    #[test]
    fn what_is_found_cannot_write_into_the_page() {
        let evil = "<script>alert(1)</script>";
        let report = json!({
            "generated": evil,
            "findings": [{ "id": 1, "severity": "high\" onclick=\"x", "state": evil, "description": evil,
                           "evidence": [evil], "recommendation": evil }],
            "caches": { evil: { "size": 1, "bytes": 1 } },
            "pools": [{ "name": evil, "used_bytes": 1 }],
            "stacks": [{ "bytes": 1, "function": evil, "file": evil, "line": 1 }],
            "recommendations": [evil],
        });
        let page = html(&report);
        assert!(
            !page.contains("<script") && !page.contains("onclick=\"x"),
            "{page}"
        );
        assert!(page.matches("&lt;script&gt;").count() >= 8, "{page}");
    }

    #[test]
    fn spans_are_said_in_a_unit_that_fits() {
        let said = [0.0, 119.0, 120.0, 7_199.0, 7_200.0, 172_800.0].map(age);
        assert_eq!(
            said,
            ["0 s", "119 s", "2 min", "120 min", "2.0 h", "2.0 days"]
        );
    }
}

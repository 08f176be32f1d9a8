//! The page's text.

use std::fmt::{self, Write};

use rsr_base::ByteSize;
use serde_json::Value;

use super::chart;
use crate::admin;
use crate::app::App;
use crate::health::{Health, State};
use crate::wire::rfc3339;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the whole page.
pub(super) fn write(app: &App, health: &Health, nonce: &str) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>rsr</title>\n<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\n\
         <style nonce=\"{nonce}\">{STYLE}</style>\n</head>\n<body>\n\
         <header><h1>rsr</h1><p id=\"state\" role=\"status\"></p></header>\n<main>\n"
    );
    write_main(&mut page, app, health).expect("a String takes whatever is written to it");
    page.push_str("</main>\n<footer><a href=\"/metrics/\">metrics</a> <a href=\"/health/memory\">health</a> <a href=\"/api/openapi.json\">API</a></footer>\n");
    page.push_str("<script nonce=\"");
    page.push_str(nonce);
    page.push_str("\">");
    page.push_str(SCRIPT);
    page.push_str("</script>\n</body>\n</html>\n");
    page
}

fn write_main(page: &mut String, app: &App, health: &Health) -> fmt::Result {
    let memory = admin::figures(app);
    let level = app.watch.pressure.level();
    writeln!(
        page,
        "<p class=\"time\">As of <time>{}</time>: <strong class=\"{}\">{}</strong></p>",
        rfc3339(app.clock.wall()),
        health.overall,
        health.overall
    )?;
    tiles(page, app, &memory, level.name())?;
    page.push_str("<section><h2>Memory over time</h2>\n");
    chart::write(page, &app.watch.history())?;
    page.push_str("</section>\n");
    parts(page, health)?;
    caches(page, app)?;
    deletions(page, app)
}

fn tiles(page: &mut String, app: &App, memory: &Value, level: &str) -> fmt::Result {
    let size = |name: &str| {
        memory[name]
            .as_u64()
            .map_or_else(|| "not known".to_owned(), |bytes| Mib(bytes).to_string())
    };
    let share = memory["in_use_bytes"]
        .as_u64()
        .zip(memory["limit_bytes"].as_u64())
        .map_or_else(
            || "not known".to_owned(),
            |(used, limit)| format!("{} %", used.saturating_mul(100) / limit.max(1)),
        );
    let requests = app
        .bounds
        .requests_max
        .saturating_sub(app.in_flight.available_permits());
    let streams = app.bridge.n_streams();
    let readers = app.store.readers();
    page.push_str("<section><h2>Now</h2>\n<dl class=\"tiles\">\n");
    for (name, value) in [
        ("Memory in use", size("in_use_bytes")),
        ("Of the limit", share),
        ("Limit", size("limit_bytes")),
        ("Resident", size("rss_bytes")),
        ("Peak", size("peak_bytes")),
        ("Pressure", level.to_owned()),
        (
            "Refused for memory",
            app.watch.pressure.n_shed().to_string(),
        ),
        ("Requests under way", requests.to_string()),
        (
            "Streams",
            format!("{streams} of {}", app.bounds.streams_max),
        ),
        (
            "Database connections",
            format!("{} of {}", readers.n_used, readers.connections_max),
        ),
    ] {
        writeln!(page, "<div><dt>{name}</dt><dd>{}</dd></div>", Text(&value))?;
    }
    page.push_str("</dl></section>\n");
    Ok(())
}

fn parts(page: &mut String, health: &Health) -> fmt::Result {
    page.push_str("<section><h2>Parts</h2>\n<table>\n<thead><tr><th>Part</th><th>State</th><th>Why</th></tr></thead>\n<tbody>\n");
    for (name, part) in &health.parts {
        let state = match part.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Disabled => "off",
            State::Failing => "failing",
        };
        writeln!(
            page,
            "<tr><th>{name}</th><td class=\"{state}\">{state}</td><td>{}</td></tr>",
            Text(&part.reasons.join("; "))
        )?;
    }
    page.push_str("</tbody></table></section>\n");
    Ok(())
}

fn caches(page: &mut String, app: &App) -> fmt::Result {
    page.push_str("<section><h2>Caches</h2>\n<table>\n<thead><tr><th>Cache</th><th>Entries</th><th>Of</th><th>Size</th><th>Hits</th><th>Misses</th><th>Hit ratio</th><th>Expired</th></tr></thead>\n<tbody>\n");
    for (name, stats) in app.caches.registry.stats_all().caches {
        let ratio = stats
            .hit_ratio()
            .map_or_else(|| "–".to_owned(), |ratio| format!("{:.0} %", ratio * 100.0));
        writeln!(
            page,
            "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{ratio}</td><td>{}</td></tr>",
            Text(&name),
            stats.size,
            stats.max_size,
            Mib(stats.bytes.bytes()),
            stats.n_hits,
            stats.n_misses,
            stats.expired_entries
        )?;
    }
    page.push_str("</tbody></table></section>\n");
    Ok(())
}

fn deletions(page: &mut String, app: &App) -> fmt::Result {
    let stats = app.deletions.stats();
    writeln!(
        page,
        "<section><h2>Deletions</h2>\n<p>{} under way, {} stale; {} begun, {} finished, {} swept since the start.</p></section>",
        stats.n_active, stats.n_stale, stats.n_begun, stats.n_finished, stats.n_swept
    )
}

/// A size in MiB with one place, as people compare them.
pub(super) struct Mib(pub(super) u64);

impl fmt::Display for Mib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = u128::from(self.0) * 10 / u128::from(ByteSize::from_mib(1).bytes());
        write!(f, "{}.{} MiB", tenths / 10, tenths % 10)
    }
}

/// A text that HTML takes as text.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        let text = Text("<script>alert('x') & \"y\"</script>").to_string();
        assert_eq!(
            text,
            "&lt;script&gt;alert(&#39;x&#39;) &amp; &quot;y&quot;&lt;/script&gt;"
        );
    }

    #[test]
    fn sizes_are_rounded_down_to_a_tenth() {
        assert_eq!(Mib(0).to_string(), "0.0 MiB");
        assert_eq!(Mib(1_048_576 * 3 / 2).to_string(), "1.5 MiB");
        assert_eq!(Mib(u64::MAX).to_string(), "17592186044415.9 MiB");
    }
}

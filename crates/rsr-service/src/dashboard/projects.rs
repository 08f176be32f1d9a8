//! Projects: search, and one of them with its values against their targets and what lies below.

use std::fmt::{self, Write};

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use rsr_aggregation::Hundredths;
use rsr_base::ProjectId;
use rsr_hierarchy::{ChildrenRequest, Key, NodeSource, Scope, Viewer};
use rsr_store::{ChildRow, IndicatorRow, PeriodRow, Project, Snapshot};

use super::page::{Page, SEARCH};
use super::sections::Bar;
use super::text::{Count, Text};
use super::{Desk, desk, respond};
use crate::access::Caller;
use crate::app::App;
use crate::params;
use crate::problem::Problem;
use crate::routes::table::{Field, FieldKind, Operation, Route};

const SEARCHED: [Field; 2] = [
    Field::new("search", FieldKind::Text, "The title contains this"),
    Field::new("cursor", FieldKind::Text, "From the link to more"),
];
const BELOW: [Field; 1] = [Field::new(
    "cursor",
    FieldKind::Text,
    "From the link to more",
)];

/// Projects of one list; the rest is behind a link.
const PROJECTS_MAX: usize = 25;
/// Results of a project, and periods of an indicator, that a page shows.
const RESULTS_MAX: usize = 25;
const PERIODS_MAX: usize = 12;
/// Levels above a project that are named.
const ABOVE_MAX: usize = 12;
/// The list is asked for as children are, of no project.
const ALL: ProjectId = ProjectId(0);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            operation: Operation::get(
                "/dashboard/projects/",
                "dashboard_projects",
                "Projects whose title contains something, as a page",
            )
            .heavy()
            .query(&SEARCHED)
            .answers(200, "text/html"),
            handler: get(search),
        },
        Route {
            operation: Operation::get(
                "/dashboard/projects/{id}/",
                "dashboard_project",
                "A project with its values against their targets and what lies below, as a page",
            )
            .query(&BELOW)
            .answers(200, "text/html"),
            handler: get(show),
        },
    ]
}

/// What a list was asked: the parameters by name, and the question as the hierarchy reads it.
struct Asked {
    search: String,
    request: ChildrenRequest,
}

fn asked(
    app: &App,
    of: ProjectId,
    viewer: Viewer,
    query: Option<&str>,
    known: &[Field],
) -> Result<Asked, Problem> {
    let mut params = params::Params::parse(query)?;
    let mut search = String::new();
    let mut pairs = vec![("limit", PROJECTS_MAX.to_string())];
    for field in known {
        let Some(text) = params.text(field.name).filter(|text| !text.is_empty()) else {
            continue;
        };
        if field.name == "search" {
            text.trim().clone_into(&mut search);
            pairs.push(("title", text));
        } else {
            pairs.push((field.name, text));
        }
    }
    params.finish()?;
    if of == ALL && search.is_empty() {
        // Those that stand at the top were made before what is below them.
        pairs.push(("sort", "id".to_owned()));
    }
    let borrowed = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    let request = ChildrenRequest::parse(of, viewer, borrowed, &app.cursor_key)
        .map_err(|error| Problem::from(error).renamed("title", "search"))?;
    Ok(Asked { search, request })
}

async fn search(
    State(app): State<App>,
    Extension(desk): Extension<Desk>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = asked(&app, ALL, caller.viewer(), query.as_deref(), &SEARCHED)?;
    let work = app.clone();
    let main = app
        .bridge
        .run(move || {
            let snapshot = work.store.snapshot()?;
            let scope = Scope::from(&asked.request);
            let after = asked.request.after.as_ref();
            let mut listed = snapshot.projects(&scope, after, PROJECTS_MAX + 1)?.rows;
            let is_cut = listed.len() > PROJECTS_MAX;
            listed.truncate(PROJECTS_MAX);
            let last = listed.last().map(|(row, _)| Key::of_id(row.project.id));
            let mut page = String::from("<section class=\"card full\"><h1>Projects</h1>\n");
            page.push_str(SEARCH);
            page.push_str("<div data-part>\n");
            written(&mut page, |page| found(page, &asked.search, &listed));
            if let Some(last) = last.filter(|_last| is_cut) {
                let cursor = work.cursor_key.seal(&last, &asked.request);
                let search = percent_encoded(&asked.search);
                written(&mut page, |page| {
                    more(
                        page,
                        &format!("/dashboard/projects/?search={search}&cursor={cursor}"),
                    )
                });
            }
            page.push_str("</div></section>\n");
            Ok(page)
        })
        .await?;
    Ok(respond(&Page {
        title: "Projects - rsr",
        desk,
        refreshes: false,
        main: &main,
    }))
}

async fn show(
    State(app): State<App>,
    Extension(desk): Extension<Desk>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id: ProjectId = params::id("project", &id)?;
    let viewer = caller.viewer();
    let asked = asked(&app, id, viewer, query.as_deref(), &BELOW)?;
    let work = app.clone();
    let main = app
        .bridge
        .run(move || {
            let mut snapshot = work.store.snapshot()?;
            if !snapshot.is_visible(id, viewer)? {
                return Err(Problem::not_found("project", id));
            }
            let project = snapshot.project(id)?;
            let mut page = String::from("<article class=\"card full\">\n");
            above(&mut page, &snapshot, id, viewer)?;
            written(&mut page, |page| head(page, &project, desk));
            page.push_str("<div data-part>\n");
            progress(&mut page, &snapshot, id)?;
            below(&mut page, &work, &mut snapshot, &asked.request)?;
            page.push_str("</div></article>\n");
            Ok(page)
        })
        .await?;
    Ok(respond(&Page {
        title: "Project - rsr",
        desk,
        refreshes: false,
        main: &main,
    }))
}

fn written(page: &mut String, write: impl FnOnce(&mut String) -> fmt::Result) {
    write(page).expect("a String takes whatever is written to it");
}

fn more(page: &mut String, target: &str) -> fmt::Result {
    writeln!(
        page,
        "<p class=\"more\"><a href=\"{}\">More of them</a></p>",
        Text(target)
    )
}

fn found(page: &mut String, search: &str, listed: &[(ChildRow, u64)]) -> fmt::Result {
    if listed.is_empty() {
        return if search.is_empty() {
            writeln!(
                page,
                "<p class=\"empty\">There is no project that everybody may see: <code>rsr import iati FOLDER</code> brings some.</p>"
            )
        } else {
            writeln!(
                page,
                "<p class=\"empty\">No project's title contains “{}”.</p>",
                Text(search)
            )
        };
    }
    page.push_str("<ul class=\"tree\">\n");
    for (row, n_children) in listed {
        entry(page, row, *n_children)?;
    }
    page.push_str("</ul>\n");
    Ok(())
}

/// One project of a list; where it has children, it can be opened.
fn entry(page: &mut String, row: &ChildRow, n_children: u64) -> fmt::Result {
    let project = &row.project;
    let mut more = format!("#{}", project.id);
    if let Some(identifier) = &project.iati_identifier {
        write!(more, ", {}", Text(identifier))?;
    }
    if let Some(parent) = &row.parent {
        write!(more, ", in {}", Text(named(&parent.title)))?;
    }
    if let Some(first) = row.countries.iter().chain(&row.recipient_countries).next() {
        write!(more, ", {}", Text(first))?;
    }
    let (path, title) = (
        format!("/dashboard/projects/{}/", project.id),
        Text(named(&project.title)),
    );
    if n_children == 0 {
        return writeln!(
            page,
            "<li class=\"leaf\"><a href=\"{path}\">{title}</a> <span class=\"soft\">{more}</span></li>"
        );
    }
    // What opens is one control, so the link stands behind it.
    writeln!(
        page,
        "<li><details data-load=\"{path}\"><summary>{title} <span class=\"soft\">{more}</span> <span class=\"count\">{} below</span></summary>\
         <p><a href=\"{path}\">Page of #{}</a></p></details></li>",
        Count(n_children),
        project.id
    )
}

fn named(title: &str) -> &str {
    if title.trim().is_empty() {
        "without a title"
    } else {
        title
    }
}

/// The way from the top, as far as the viewer may know it.
fn above(
    page: &mut String,
    snapshot: &Snapshot,
    id: ProjectId,
    viewer: Viewer,
) -> Result<(), Problem> {
    let mut way: Vec<Project> = Vec::new();
    let mut next = snapshot.project(id)?.parent;
    while let Some(above) = next.filter(|_above| way.len() < ABOVE_MAX) {
        let is_seen_before = above == id || way.iter().any(|known| known.id == above);
        if is_seen_before || !snapshot.may_see(above, viewer)? {
            break;
        }
        let project = snapshot.project(above)?;
        next = project.parent;
        way.push(project);
    }
    page.push_str(
        "<nav class=\"way\" aria-label=\"Above this project\"><a href=\"/#projects\">Projects</a>",
    );
    for project in way.iter().rev() {
        written(page, |page| {
            write!(
                page,
                " <span aria-hidden=\"true\">›</span> <a href=\"/dashboard/projects/{}/\">{}</a>",
                project.id,
                Text(named(&project.title))
            )
        });
    }
    page.push_str("</nav>\n");
    Ok(())
}

fn head(page: &mut String, project: &Project, desk: Desk) -> fmt::Result {
    writeln!(page, "<h1>{}</h1>", Text(named(&project.title)))?;
    if !project.subtitle.is_empty() {
        writeln!(page, "<p>{}</p>", Text(&project.subtitle))?;
    }
    let day = |planned: &Option<String>, actual: &Option<String>| {
        actual.clone().or(planned.clone()).unwrap_or_default()
    };
    writeln!(
        page,
        "<p class=\"soft\">#{} {} {} – {}{}{}</p>",
        project.id,
        Text(
            project
                .iati_identifier
                .as_deref()
                .unwrap_or("without an IATI identifier")
        ),
        Text(&day(&project.planned_start, &project.actual_start)),
        Text(&day(&project.planned_end, &project.actual_end)),
        if project.is_published {
            ""
        } else {
            ", not published"
        },
        if project.is_public {
            ""
        } else {
            ", not public"
        },
    )?;
    if desk == Desk::Buttons {
        writeln!(
            page,
            "<p class=\"buttons\"><button data-post=\"/api/v1/projects/{}/recalculate/\" data-body='{{\"all\":true}}' data-sure=\"Queue this project and all below it to be computed anew?\">Recalculate</button></p>{}",
            project.id,
            desk::TOKEN
        )?;
    }
    Ok(())
}

/// What stands at each period, against its target.
fn progress(page: &mut String, snapshot: &Snapshot, id: ProjectId) -> Result<(), Problem> {
    let mut results = snapshot.results(id, None, RESULTS_MAX + 1)?;
    let is_cut = results.len() > RESULTS_MAX;
    results.truncate(RESULTS_MAX);
    if results.is_empty() {
        return Ok(());
    }
    page.push_str("<h2>Results</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Results, scrolls sideways\"><table class=\"results\"><thead><tr><th scope=\"col\">Indicator</th><th scope=\"col\">Period</th><th scope=\"col\">Value</th><th scope=\"col\">Target</th><th scope=\"col\">Progress</th></tr></thead>\n");
    for result in &results {
        written(page, |page| {
            writeln!(
                page,
                "<tbody><tr class=\"result\"><th scope=\"rowgroup\" colspan=\"5\">{}</th></tr>",
                Text(named(&result.title))
            )?;
            for indicator in &result.indicators {
                rows(page, indicator)?;
            }
            page.push_str("</tbody>\n");
            Ok(())
        });
    }
    page.push_str("</table></div>\n");
    if is_cut {
        written(page, |page| {
            writeln!(
                page,
                "<p class=\"soft\">The first {RESULTS_MAX} results; <a href=\"/api/v1/projects/{id}/results/\">all as JSON</a>.</p>"
            )
        });
    }
    Ok(())
}

fn rows(page: &mut String, indicator: &IndicatorRow) -> fmt::Result {
    let n_periods = indicator.periods.len();
    if n_periods == 0 {
        return writeln!(
            page,
            "<tr><th scope=\"row\">{}</th><td colspan=\"4\" class=\"soft\">no period</td></tr>",
            Text(named(&indicator.title))
        );
    }
    let shown = n_periods.min(PERIODS_MAX);
    for (nth, period) in indicator.periods.iter().take(shown).enumerate() {
        page.push_str("<tr>");
        if nth == 0 {
            let (left, more) = (n_periods - shown, n_periods > shown);
            write!(
                page,
                "<th scope=\"row\" rowspan=\"{shown}\">{}{}</th>",
                Text(named(&indicator.title)),
                if more {
                    format!(" <span class=\"soft\">and {left} more periods</span>")
                } else {
                    String::new()
                }
            )?;
        }
        let unit = if indicator.measure == "2" { " %" } else { "" };
        write!(
            page,
            "<td class=\"soft\">{} – {}</td>",
            Text(period.start.as_deref().unwrap_or("…")),
            Text(period.end.as_deref().unwrap_or("…"))
        )?;
        match period.numbers.value {
            Some(value) => write!(page, "<td class=\"num\">{value}{unit}</td>")?,
            None => {
                let said = if indicator.is_qualitative {
                    period.narrative.as_str()
                } else {
                    "no value"
                };
                write!(page, "<td class=\"soft\">{}</td>", Text(said))?;
            }
        }
        write!(
            page,
            "<td class=\"num\">{}</td>",
            Text(&period.target_value)
        )?;
        match part(indicator, period) {
            Some((part, whole)) => writeln!(
                page,
                "<td class=\"ratio\">{}<span class=\"num\">{}</span></td></tr>",
                Bar(part, whole),
                super::text::percent(part, whole)
            )?,
            None => page.push_str("<td></td></tr>\n"),
        }
    }
    Ok(())
}

/// How much of a target is reached; nothing where less is better, or where a text is the target.
fn part(indicator: &IndicatorRow, period: &PeriodRow) -> Option<(u64, u64)> {
    if indicator.is_qualitative || indicator.is_ascending == Some(false) {
        return None;
    }
    let whole = |number: Hundredths| u64::try_from(number.hundredths()).ok();
    let target = Hundredths::parse(&period.target_value).ok().flatten()?;
    let value = period.numbers.value?;
    Some((whole(value)?, whole(target).filter(|target| *target > 0)?))
}

/// The children, a page of them.
fn below(
    page: &mut String,
    app: &App,
    snapshot: &mut Snapshot,
    request: &ChildrenRequest,
) -> Result<(), Problem> {
    let scope = Scope::from(request);
    let mut nodes = Vec::new();
    let after = request.after.as_ref();
    snapshot.children(&scope, request.project, after, PROJECTS_MAX + 1, &mut nodes)?;
    let is_cut = nodes.len() > PROJECTS_MAX;
    nodes.truncate(PROJECTS_MAX);
    let Some(last) = nodes.last().map(|node| Key::of_id(node.id)) else {
        return Ok(());
    };
    page.push_str("<h2>Below it</h2>\n<ul class=\"tree\">\n");
    for node in &nodes {
        written(page, |page| entry(page, &node.row, node.children_count));
    }
    page.push_str("</ul>\n");
    if is_cut {
        let cursor = app.cursor_key.seal(&last, request);
        let target = format!("/dashboard/projects/{}/?cursor={cursor}", request.project);
        written(page, |page| more(page, &target));
    }
    Ok(())
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes whatever is written to it");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_survives_its_own_link() {
        assert_eq!(percent_encoded("Água & <b>"), "%C3%81gua%20%26%20%3Cb%3E");
    }
}

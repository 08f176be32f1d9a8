//! Pages about the API and the metrics, written from the tables that they are made from.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::metrics::Metrics;
use crate::problem::Kind;
use crate::routes;
use crate::routes::table::{Access, Field, FieldKind, Operation, Route, Weight};

/// Every route, its parameters and its problems, as a page of Markdown.
#[must_use]
pub fn api_reference() -> String {
    let public = routes::public_routes();
    let known: BTreeSet<_> = public.iter().map(|route| route.operation.id).collect();
    let mut page = String::from(
        "# HTTP API\n\n\
         Written by `rsr manual --api` from the table that the router is made from; do not edit by hand. A running service\n\
         describes itself at `/api/openapi.json` (OpenAPI 3.1).\n\n\
         Every path answers with and without its last slash. *Who*: **anybody**, who is shown what is public and published, and\n\
         more with a token; **a user**, with any token; **a writer**, with a token of scope `write` and a role that allows the\n\
         change; **an administrator**. Requests from the same machine need no token, unless the listener says otherwise.\n\
         **Light** routes answer while all else is refused; **heavy** ones are the first to get 503 with `Retry-After`.\n",
    );
    page.push_str("\n## Public listener\n");
    operations(&mut page, public.iter());
    let own = routes::admin_routes();
    page.push_str("\n## Admin socket and admin listener\n\nAll of the above, and:\n");
    operations(
        &mut page,
        own.iter()
            .filter(|route| !known.contains(route.operation.id)),
    );
    page.push_str(
        "\n## Problems\n\n\
         Errors are `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, `request_id`, and `field` where one\n\
         parameter is to blame. `type` is `urn:rsr:problem:` and one of:\n\n\
         | status | type | title |\n|---|---|---|\n",
    );
    for kind in Kind::ALL {
        let _written = writeln!(
            page,
            "| {} | `{}` | {} |",
            kind.status().as_u16(),
            kind.slug(),
            kind.title()
        );
    }
    page
}

fn operations<'r>(page: &mut String, routes: impl Iterator<Item = &'r Route>) {
    for Operation {
        method,
        path,
        about,
        weight,
        access,
        query,
        body,
        status,
        media,
        ..
    } in routes.map(|route| &route.operation)
    {
        let who = match access {
            Access::Read => "anybody",
            Access::LoggedIn => "a user",
            Access::Write => "a writer",
            Access::Administer => "an administrator",
            Access::Admin => "who may open the socket, or has the token",
        };
        let weight = match weight {
            Weight::Light => ", light",
            Weight::Normal => "",
            Weight::Heavy => ", heavy",
        };
        let _written = write!(
            page,
            "\n### `{method} {path}`\n\n{about}. For {who}{weight}. Answers {status}, `{media}`.\n"
        );
        fields(page, "query", query);
        fields(page, "body", body);
    }
}

fn fields(page: &mut String, place: &str, fields: &[Field]) {
    if fields.is_empty() {
        return;
    }
    let _written = write!(page, "\n| {place} | type | meaning |\n|---|---|---|\n");
    for field in fields {
        let kind = if field.choices.is_empty() {
            kind(field.kind).to_owned()
        } else {
            let choices: Vec<_> = field.choices.iter().map(|one| format!("`{one}`")).collect();
            choices.join(", ")
        };
        let required = if field.is_required { ", required" } else { "" };
        let about = field.about.replace('|', "\\|");
        let _written = writeln!(page, "| `{}` | {kind}{required} | {about} |", field.name);
    }
}

fn kind(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "text",
        FieldKind::Line => "text of one line",
        FieldKind::Title => "text of one line, not blank",
        FieldKind::Integer => "whole number",
        FieldKind::Count => "whole number from 1",
        FieldKind::Decimal => "decimal, as text or number",
        FieldKind::Flag => "`true` or `false`",
        FieldKind::Date => "date, `YYYY-MM-DD`",
        FieldKind::Integers => "list of whole numbers",
        FieldKind::List => "list of objects",
    }
}

/// Every metric with its type, its labels and its meaning, as a page of Markdown.
#[must_use]
pub fn metrics_reference() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Written by `rsr manual --metrics` from the definitions that are exported; do not edit by hand. `/metrics/` answers in\n\
         Prometheus' text format, and in OpenMetrics where it is asked for.\n\n\
         | metric | type | labels | meaning |\n|---|---|---|---|\n",
    );
    let mut families = Metrics::new().registry.describe();
    families.sort_by(|a, b| a.name.cmp(&b.name));
    for family in families {
        let labels: Vec<_> = family
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let _written = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            family.name,
            family.kind,
            labels.join(", "),
            family.help.replace('|', "\\|")
        );
    }
    page
}

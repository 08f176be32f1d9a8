//! The tables, each after those that its rows refer to.

/// A table as it is copied.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) name: &'static str,
    /// One or two whole numbers that tell its rows apart; none where the table is copied at once.
    pub(super) key: &'static [&'static str],
    /// The column that refers to the table itself.
    pub(super) link: Option<&'static str>,
}

const fn table(name: &'static str, key: &'static [&'static str]) -> Whole {
    Whole {
        name,
        key,
        link: None,
    }
}

const fn linked(name: &'static str, link: &'static str) -> Whole {
    Whole {
        name,
        key: ID,
        link: Some(link),
    }
}

const ID: &[&str] = &["id"];
const ELEMENT: &[&str] = &["project_id", "place"];

/// All but `meta`, which is each database's own.
pub(super) const TABLES: [Whole; 32] = [
    table("organisations", ID),
    table("users", ID),
    table("projects", ID),
    table("positions", &["project_id"]),
    table("project_elements", ELEMENT),
    table("participations", ELEMENT),
    table("sectors", ELEMENT),
    table("recipient_countries", ELEMENT),
    table("locations", ELEMENT),
    table("transactions", ELEMENT),
    table("budgets", ELEMENT),
    table("planned_disbursements", ELEMENT),
    table("documents", ELEMENT),
    table("related_activities", ELEMENT),
    linked("results", "parent_result_id"),
    linked("indicators", "parent_indicator_id"),
    linked("periods", "parent_period_id"),
    linked("dimension_names", "parent_name_id"),
    linked("dimension_values", "parent_value_id"),
    table("indicator_dimension_names", &["indicator_id", "name_id"]),
    table("updates", ID),
    table("disaggregations", ID),
    table(
        "manual_disaggregations",
        &["period_id", "dimension_value_id"],
    ),
    table("period_disaggregations", ID),
    table("contributions", &["period_disaggregation_id", "project_id"]),
    table("jobs", ID),
    table("roles", &[]),
    table("tokens", ID),
    table("import_runs", ID),
    table("import_files", &[]),
    table("import_seen", &["run", "project_id"]),
    table("mails", ID),
];

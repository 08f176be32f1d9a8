//! The tables, each after those that its rows refer to.

/// A table as it is copied.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) name: &'static str,
    /// One or two whole numbers that tell its rows apart; none where the table is copied at once.
    pub(super) key: &'static [&'static str],
    /// The column that refers to the table itself.
    pub(super) link: Option<&'static str>,
    /// The project that a row `t` hangs on, where the tables of an engine with roots say in which tree that lies.
    pub(super) project: Option<&'static str>,
}

const fn table(name: &'static str, key: &'static [&'static str]) -> Whole {
    Whole {
        name,
        key,
        link: None,
        project: None,
    }
}

const fn linked(name: &'static str, link: &'static str) -> Whole {
    Whole {
        name,
        key: ID,
        link: Some(link),
        project: None,
    }
}

impl Whole {
    const fn of(self, project: &'static str) -> Self {
        Self {
            project: Some(project),
            ..self
        }
    }
}

const OWN: &str = "t.project_id";
const OF_PERIOD: &str = "(SELECT p.project_id FROM periods p WHERE p.id = t.period_id)";

const ID: &[&str] = &["id"];
const ELEMENT: &[&str] = &["project_id", "place"];

/// All but `meta`, which is each database's own.
pub(super) const TABLES: [Whole; 32] = [
    table("organisations", ID),
    table("users", ID),
    table("projects", ID).of("t.id"),
    table("positions", &["project_id"]),
    table("project_elements", ELEMENT).of(OWN),
    table("participations", ELEMENT).of(OWN),
    table("sectors", ELEMENT).of(OWN),
    table("recipient_countries", ELEMENT).of(OWN),
    table("locations", ELEMENT).of(OWN),
    table("transactions", ELEMENT).of(OWN),
    table("budgets", ELEMENT).of(OWN),
    table("planned_disbursements", ELEMENT).of(OWN),
    table("documents", ELEMENT).of(OWN),
    table("related_activities", ELEMENT).of(OWN),
    linked("results", "parent_result_id").of(OWN),
    linked("indicators", "parent_indicator_id").of(OWN),
    linked("periods", "parent_period_id").of(OWN),
    linked("dimension_names", "parent_name_id").of(OWN),
    linked("dimension_values", "parent_value_id")
        .of("(SELECT n.project_id FROM dimension_names n WHERE n.id = t.name_id)"),
    table("indicator_dimension_names", &["indicator_id", "name_id"])
        .of("(SELECT i.project_id FROM indicators i WHERE i.id = t.indicator_id)"),
    table("updates", ID).of(OF_PERIOD),
    table("disaggregations", ID)
        .of("(SELECT p.project_id FROM updates u JOIN periods p ON p.id = u.period_id WHERE u.id = t.update_id)"),
    table(
        "manual_disaggregations",
        &["period_id", "dimension_value_id"],
    )
    .of(OF_PERIOD),
    table("period_disaggregations", ID).of(OF_PERIOD),
    table("contributions", &["period_disaggregation_id", "project_id"]).of(
        "(SELECT p.project_id FROM period_disaggregations d JOIN periods p ON p.id = d.period_id
          WHERE d.id = t.period_disaggregation_id)",
    ),
    table("jobs", ID),
    table("roles", &[]),
    table("tokens", ID),
    table("import_runs", ID),
    table("import_files", &[]),
    table("import_seen", &["run", "project_id"]),
    table("mails", ID),
];

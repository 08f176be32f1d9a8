//! Who may see what, as a condition on a row of projects named `p`.

use std::borrow::Cow;

use rsr_base::ProjectId;
use rsr_hierarchy::{Condition, Key, Scope, Sort, SortField, Viewer};

use crate::error::Error;
use crate::sql::{Root, Roots, Session, Value};

impl Param<'_> {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Int(value) => Value::Int(*value),
            Self::Text(value) => Value::Text(value),
        }
    }
}

/// A statement under construction, with its parameters.
#[derive(Debug, Default)]
pub(crate) struct Query<'a> {
    params: Vec<Param<'a>>,
    /// What `?root` or `?roots` stands for.
    roots: Option<Roots>,
    root: Option<Root>,
}

#[derive(Debug)]
enum Param<'a> {
    Int(i64),
    Text(Cow<'a, str>),
}

impl<'a> Query<'a> {
    /// Adds a number; answers how the statement names it.
    pub(crate) fn int(&mut self, value: i64) -> String {
        self.params.push(Param::Int(value));
        format!("?{}", self.params.len())
    }

    /// Adds a text; answers how the statement names it.
    pub(crate) fn text(&mut self, value: impl Into<Cow<'a, str>>) -> String {
        self.params.push(Param::Text(value.into()));
        format!("?{}", self.params.len())
    }

    /// The tree that the statement looks in, as `?root`.
    pub(crate) fn root(&mut self, root: Root) {
        self.root = Some(root);
    }

    /// The trees that the statement looks in, as `?roots`.
    pub(crate) fn roots(&mut self, roots: &Roots) {
        self.roots = Some(roots.clone());
    }

    pub(crate) fn params(&self) -> Vec<Value<'_>> {
        let roots = self.roots.as_ref().map(Value::Roots);
        let root = self.root.map(Value::Root);
        let numbered = self.params.iter().map(Param::value);
        numbered.chain(roots).chain(root).collect()
    }

    /// What the viewer may see: public and published projects, and those of their roles.
    pub(crate) fn visible(&mut self, viewer: Viewer) -> String {
        match viewer {
            Viewer::Administrator => "true".to_owned(),
            Viewer::Anonymous => "(p.is_public = 1 AND p.is_published = 1)".to_owned(),
            Viewer::User(user) => {
                let user = self.int(user.0);
                format!(
                    "(p.is_public = 1 AND p.is_published = 1
                     OR EXISTS (SELECT 1 FROM roles r WHERE r.user_id = {user} AND {COVERS}))"
                )
            }
        }
    }

    /// What the viewer may see and the filter lets pass.
    pub(super) fn within(&mut self, scope: &Scope<'a>) -> String {
        let mut all = self.visible(scope.viewer);
        for condition in scope.filter.conditions() {
            all.push_str(" AND ");
            all.push_str(&self.condition(condition));
        }
        all
    }

    fn condition(&mut self, condition: &'a Condition) -> String {
        let flag = |column: &str, is: bool| format!("p.{column} = {}", i64::from(is));
        match condition {
            Condition::TitleContains(text) => {
                let text = self.text(text.to_lowercase());
                format!("instr(p.title_folded, {text}) > 0")
            }
            Condition::Published(is) => flag("is_published", *is),
            Condition::Public(is) => flag("is_public", *is),
            Condition::Program(true) => "(p.is_program = 1 AND p.parent_id IS NULL)".to_owned(),
            Condition::Program(false) => "(p.is_program = 0 OR p.parent_id IS NOT NULL)".to_owned(),
            Condition::Country(code) => self.listed("locations", "country", code),
            Condition::RecipientCountry(code) => self.listed("recipient_countries", "code", code),
            Condition::Sector(code) => self.listed("sectors", "code", code),
            Condition::PrimaryOrganisation(id) => {
                format!("p.organisation_id = {}", self.int(id.0))
            }
            // A condition this crate does not know yet lets nothing pass rather than everything.
            _ => "false".to_owned(),
        }
    }

    fn listed(&mut self, table: &str, column: &str, code: &'a str) -> String {
        let code = self.text(code);
        format!(
            "EXISTS (SELECT 1 FROM {table} x WHERE x.project_id = p.id /*! AND x.root_id = p.root_id */ AND x.{column} = {code})"
        )
    }

    /// The condition that a row lies in a stretch of the order.
    pub(super) fn stretch(&mut self, sort: Sort, stretch: &Stretch<'a>) -> String {
        let expression = expression(sort.field).unwrap_or("p.id");
        let beyond = if sort.descending { "<" } else { ">" };
        match *stretch {
            Stretch::All => "true".to_owned(),
            Stretch::AfterId(id) => format!("p.id {beyond} {}", self.int(id)),
            Stretch::Ties(Some(value), id) => {
                let (value, id) = (self.text(value), self.int(id));
                format!("{expression} = {value} AND p.id < {id}")
            }
            Stretch::Ties(None, id) => {
                format!("{expression} IS NULL AND p.id < {}", self.int(id))
            }
            Stretch::Beyond(Some(value)) => format!("{expression} {beyond} {}", self.text(value)),
            Stretch::Beyond(None) => format!("{expression} IS NOT NULL"),
            Stretch::Without => format!("{expression} IS NULL"),
        }
    }

    /// The condition that a row comes after `after` in the order.
    pub(super) fn after(&mut self, sort: Sort, after: Option<&'a Key>) -> String {
        let Some(after) = after else {
            return "true".to_owned();
        };
        let id = self.int(after.id.0);
        let Some(expression) = expression(sort.field) else {
            let beyond = if sort.descending { "<" } else { ">" };
            return format!("p.id {beyond} {id}");
        };
        match (&after.value, sort.descending) {
            (None, false) => format!("({expression} IS NOT NULL OR p.id < {id})"),
            (None, true) => format!("({expression} IS NULL AND p.id < {id})"),
            (Some(value), descending) => {
                let value = self.text(value.as_str());
                let beyond = if descending { "<" } else { ">" };
                let without = if descending {
                    format!("OR {expression} IS NULL ")
                } else {
                    String::new()
                };
                format!(
                    "({expression} {beyond} {value} {without}OR ({expression} = {value} AND p.id < {id}))"
                )
            }
        }
    }
}

/// That role `r` is one in project `p`: given there or above it, or in its organisation where the project has no roles
/// of its own. What lies above is read from positions, one lookup by key for each of the user's roles.
pub(crate) const COVERS: &str = "(r.project_id = p.id
     OR (p.use_project_roles = 0 AND r.organisation_id = p.organisation_id)
     OR EXISTS (SELECT 1 FROM positions top JOIN positions here ON here.root_id = top.root_id
         AND here.place > top.place AND here.place <= top.last_place
         WHERE top.project_id = r.project_id AND here.project_id = p.id))";

/// Whether a project is stored, and the viewer may know of it.
pub(crate) fn is_visible(
    db: &dyn Session,
    project: ProjectId,
    root: Root,
    viewer: Viewer,
) -> Result<bool, Error> {
    let mut query = Query::default();
    let id = query.int(project.0);
    let visible = query.visible(viewer);
    query.root(root);
    let sql = format!(
        "SELECT 1 FROM projects p WHERE p.id = {id} /*! AND p.root_id = ?root */ AND {visible}"
    );
    Ok(db.number(&sql, &query.params())? == 1)
}

/// A part of an order that an index gives as it is, or but for the ids of one value: so a chunk costs what it holds, and
/// a run of equal values is never sorted more than once.
#[derive(Debug)]
pub(super) enum Stretch<'k> {
    /// From the start.
    All,
    /// After an id, where ids are the order.
    AfterId(i64),
    /// The rows of one value, after an id.
    Ties(Option<&'k str>, i64),
    /// What has a value beyond this one, or any where it is none.
    Beyond(Option<&'k str>),
    /// What has no value.
    Without,
}

/// The stretches that follow after a key, in order.
pub(super) fn stretches(sort: Sort, after: Option<&Key>) -> Vec<Stretch<'_>> {
    let Some(after) = after else {
        return vec![Stretch::All];
    };
    let id = after.id.0;
    if sort.field == SortField::Id {
        return vec![Stretch::AfterId(id)];
    }
    let value = after.value.as_deref();
    let mut all = vec![Stretch::Ties(value, id)];
    match (value, sort.descending) {
        (_, false) => all.push(Stretch::Beyond(value)),
        (Some(_), true) => all.extend([Stretch::Beyond(value), Stretch::Without]),
        (None, true) => {}
    }
    all
}

impl Stretch<'_> {
    /// The columns to order by. Ties and what has no value come by falling id whatever the direction. Of ties the id alone
    /// is named, since SQLite does not see that an expression stays the same; of missing values the whole order is, since
    /// PostgreSQL does not see that of them.
    pub(super) fn order(&self, sort: Sort) -> String {
        match self {
            Self::Ties(Some(_), _) => "p.id DESC".to_owned(),
            Self::Ties(None, _) | Self::Without => order(Sort {
                descending: false,
                ..sort
            }),
            Self::All | Self::AfterId(_) | Self::Beyond(_) => order(sort),
        }
    }
}

/// What a field sorts by; `None` for the id alone.
pub(super) fn expression(field: SortField) -> Option<&'static str> {
    match field {
        SortField::Id => None,
        SortField::Title => Some("substr(p.title, 1, 100)"),
        SortField::PlannedStart => Some("p.planned_start"),
        SortField::PlannedEnd => Some("p.planned_end"),
        SortField::ActualStart => Some("p.actual_start"),
        SortField::ActualEnd => Some("p.actual_end"),
    }
}

/// The columns to order by.
pub(super) fn order(sort: Sort) -> String {
    match (expression(sort.field), sort.descending) {
        (None, true) => "p.id DESC".to_owned(),
        (None, false) => "p.id".to_owned(),
        (Some(expression), true) => format!("{expression} DESC NULLS LAST, p.id DESC"),
        (Some(expression), false) => format!("{expression} NULLS FIRST, p.id DESC"),
    }
}

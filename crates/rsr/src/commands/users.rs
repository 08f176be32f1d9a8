//! `rsr users`: people, and their roles.

use std::str::FromStr;

use clap::Subcommand;
use rsr_base::{OrganisationId, ProjectId, UserId};
use rsr_store::{Error, Grant, Role, Tx, UserRow};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out};
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Stores a user, or gives one that is stored more roles
    #[command(
        after_help = "Example: rsr users add Ada --email ada@example.org --role editor:7\n          \
                      rsr users add --user 3 --role viewer:org:2"
    )]
    Add {
        /// The name
        #[arg(required_unless_present = "user")]
        name: Option<String>,
        /// The address; one user has it
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// An administrator, who sees and may change everything
        #[arg(long)]
        admin: bool,
        /// viewer, reporter, editor or admin, in a project with all below it (editor:7) or in the projects of an
        /// organisation (editor:org:2); may be given many times
        #[arg(long = "role", value_name = "ROLE:PROJECT")]
        roles: Vec<GivenRole>,
        /// A stored user, who only gets the roles
        #[arg(long, value_name = "ID", conflicts_with_all = ["name", "email", "admin"], requires = "roles")]
        user: Option<i64>,
    },
    /// Everybody, with their roles
    #[command(after_help = "Example: rsr users list --json")]
    List,
    /// Takes away what a user may do: all of it with their tokens, or their roles in one project
    #[command(after_help = "Example: rsr users revoke 3")]
    Revoke {
        /// The user
        id: i64,
        /// Only the roles given in this project
        #[arg(long, value_name = "ID")]
        project: Option<i64>,
    },
}

/// A role and what it is given in, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GivenRole {
    role: Role,
    grant: Grant,
}

impl FromStr for GivenRole {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "write a role and a project, such as editor:7, or an organisation, such as editor:org:2";
        let (role, place) = text.split_once(':').ok_or(WANTED)?;
        let role = Role::from_code(role).ok_or("the role is viewer, reporter, editor or admin")?;
        let id = |text: &str| text.parse::<i64>().map_err(|_not_an_id| WANTED);
        let grant = match place.strip_prefix("org:") {
            Some(organisation) => Grant::Organisation(OrganisationId(id(organisation)?)),
            None => Grant::Project(ProjectId(id(place)?)),
        };
        Ok(Self { role, grant })
    }
}

impl GivenRole {
    fn give(self, tx: &mut Tx, user: UserId) -> Result<(), Error> {
        match self.grant {
            Grant::Project(project) => tx.grant_project_role(user, project, self.role),
            Grant::Organisation(organisation) => {
                tx.grant_organisation_role(user, organisation, self.role)
            }
        }
    }
}

pub(crate) fn run(context: &Context, which: &Users) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    match which {
        Users::Add {
            name,
            email,
            admin,
            roles,
            user,
        } => {
            let user = user.map(UserId);
            let person = (name.as_deref(), email.as_deref(), *admin);
            add(context, user, person, roles)
        }
        Users::List => list(context),
        Users::Revoke { id, project } => revoke(context, UserId(*id), project.map(ProjectId)),
    }
}

fn add(
    context: &Context,
    user: Option<UserId>,
    (name, email, is_admin): (Option<&str>, Option<&str>, bool),
    roles: &[GivenRole],
) -> Outcome {
    let name = name.map(str::trim);
    if name.is_some_and(|name| name.is_empty() || name.contains(char::is_control)) {
        return Err(Failure::new(
            Exit::Usage,
            "the name is empty or not a line of text",
        ));
    }
    // The first user may come before the first project.
    let store = context.store()?;
    let stored = store.write(|tx| {
        let id = match (user, name) {
            (Some(user), _) => user,
            (None, name) => tx.create_user(name.unwrap_or_default(), email, is_admin)?,
        };
        for role in roles {
            role.give(tx, id)?;
        }
        let stored = tx.users()?.into_iter().find(|user| user.id == id);
        stored.ok_or_else(|| Error::NotFound {
            kind: "user",
            id: id.to_string(),
        })
    })?;
    tracing::info!(who = %super::operator(), user = %stored.id, new = %said(&stored), "user added");
    let mut out = Out::new();
    if context.is_json() {
        out.json(&shown(&stored))?;
    } else {
        out.line(format_args!("user {}: {}", stored.id, said(&stored)))?;
    }
    out.end(Exit::Done)
}

fn list(context: &Context) -> Outcome {
    let users = context.existing_store()?.snapshot()?.users()?;
    let mut out = Out::new();
    let mut table = Table::new(["user", "name", "email", "access"]);
    for user in &users {
        if context.is_json() {
            out.json(&shown(user))?;
        }
        table.row([
            user.id.to_string(),
            user.name.clone(),
            user.email.clone().unwrap_or_default(),
            access(user),
        ]);
    }
    if !context.is_json() {
        out.line(table.aligned())?;
    }
    out.end(Exit::Done)
}

fn revoke(context: &Context, id: UserId, project: Option<ProjectId>) -> Outcome {
    let store = context.existing_store()?;
    let n_roles = store.write(|tx| match project {
        Some(project) => tx.revoke_project_role(id, project),
        None => tx.revoke_user(id).map(|()| 0),
    })?;
    tracing::info!(who = %super::operator(), user = %id, ?project, "access revoked");
    let mut out = Out::new();
    match project {
        Some(project) if context.is_json() => {
            out.json(&json!({ "id": id.0, "project": project.0, "roles_revoked": n_roles }))?;
        }
        None if context.is_json() => out.json(&json!({ "id": id.0, "revoked": true }))?,
        Some(project) => {
            out.line(format_args!(
                "user {id} has {n_roles} roles less, in project {project}"
            ))?;
        }
        None => out.line(format_args!("user {id} has no access any more"))?,
    }
    out.end(Exit::Done)
}

fn shown(user: &UserRow) -> Value {
    let roles = user.roles.iter().map(|(grant, role)| match grant {
        Grant::Project(project) => json!({ "role": role.code(), "project": project.0 }),
        Grant::Organisation(organisation) => {
            json!({ "role": role.code(), "organisation": organisation.0 })
        }
    });
    json!({
        "id": user.id.0,
        "name": user.name,
        "email": user.email,
        "admin": user.is_admin,
        "active": user.is_active,
        "created_ms": user.created_ms,
        "roles": roles.collect::<Vec<_>>(),
    })
}

fn said(user: &UserRow) -> String {
    format!("{}, {}", user.name, access(user))
}

fn access(user: &UserRow) -> String {
    if !user.is_active {
        return "revoked".to_owned();
    }
    let mut all: Vec<String> = Vec::new();
    if user.is_admin {
        all.push("administrator".to_owned());
    }
    all.extend(user.roles.iter().map(|(grant, role)| match grant {
        Grant::Project(project) => format!("{}:{project}", role.code()),
        Grant::Organisation(organisation) => format!("{}:org:{organisation}", role.code()),
    }));
    if all.is_empty() {
        all.push("what is public".to_owned());
    }
    all.join(" ")
}

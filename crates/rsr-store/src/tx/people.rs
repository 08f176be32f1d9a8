//! Users, their roles, and organisations.

use rsr_base::{OrganisationId, ProjectId, UserId};

use super::Tx;
use crate::elements::organisation;
use crate::error::{Conflict, Error};
use crate::rows::Role;
use crate::sql::params;

impl Tx {
    /// Stores a user.
    ///
    /// # Errors
    ///
    /// [`Conflict::Taken`] where another user has the address.
    pub fn create_user(
        &mut self,
        name: &str,
        email: Option<&str>,
        is_admin: bool,
    ) -> Result<UserId, Error> {
        let id = self.db().row(
            "INSERT INTO users (name, email, is_admin, created_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (email) DO NOTHING RETURNING id",
            params![name, email, is_admin, self.now_ms],
            |row| row.int(0),
        )?;
        id.map(UserId).ok_or_else(|| {
            Conflict::Taken {
                what: "email",
                value: email.unwrap_or_default().to_owned(),
            }
            .into()
        })
    }

    /// Sets whether a user wants mail about aggregations of projects of the organisations they have a role in.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn set_aggregation_mail(&mut self, user: UserId, is_wanted: bool) -> Result<(), Error> {
        let changed = self.db().execute(
            "UPDATE users SET wants_aggregation_mail = ?2 WHERE id = ?1",
            params![user, is_wanted],
        )?;
        match changed {
            0 => Err(Error::not_found("user", user)),
            _ => Ok(()),
        }
    }

    /// Lets a user see, and by the role more, of one project and all below it. Giving a role again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the user or the project.
    pub fn grant_project_role(
        &mut self,
        user: UserId,
        project: ProjectId,
        role: Role,
    ) -> Result<(), Error> {
        self.require("user", "SELECT 1 FROM users WHERE id = ?1", user.0)?;
        self.require_project(project)?;
        self.db().execute(
            "INSERT INTO roles (user_id, project_id, role) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (
                 SELECT 1 FROM roles WHERE user_id = ?1 AND project_id = ?2 AND role = ?3)",
            params![user, project, role.code()],
        )?;
        Ok(())
    }

    /// Takes away the roles a user has in one project. Answers how many there were.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the user.
    pub fn revoke_project_role(
        &mut self,
        user: UserId,
        project: ProjectId,
    ) -> Result<usize, Error> {
        self.require("user", "SELECT 1 FROM users WHERE id = ?1", user.0)?;
        self.db().execute(
            "DELETE FROM roles WHERE user_id = ?1 AND project_id = ?2",
            params![user, project],
        )
    }

    /// Lets a user see, and by the role more, of the projects of one organisation that do not use roles of
    /// their own.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the user or the organisation.
    pub fn grant_organisation_role(
        &mut self,
        user: UserId,
        organisation: OrganisationId,
        role: Role,
    ) -> Result<(), Error> {
        self.require("user", "SELECT 1 FROM users WHERE id = ?1", user.0)?;
        self.require(
            "organisation",
            "SELECT 1 FROM organisations WHERE id = ?1",
            organisation.0,
        )?;
        self.db().execute(
            "INSERT INTO roles (user_id, organisation_id, role) VALUES (?1, ?2, ?3)",
            params![user, organisation, role.code()],
        )?;
        Ok(())
    }

    /// Stores an organisation, or answers the one that has the reference; a name that was unknown is filled in.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn put_organisation(
        &mut self,
        reference: Option<&str>,
        name: &str,
        kind: &str,
    ) -> Result<OrganisationId, Error> {
        organisation(self.db(), reference, name, kind)
    }
}

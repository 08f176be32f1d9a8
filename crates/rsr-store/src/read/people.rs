//! Users, tokens, and what they may do at this moment.

use std::collections::HashMap;

use rsr_base::{OrganisationId, ProjectId, UserId};
use rsr_hierarchy::Viewer;

use crate::error::Error;
use crate::hierarchy::{COVERS, is_visible};
use crate::rows::{Grant, Role, TokenHolder, TokenRow, TokenScope, TokenSecret, UserRow};
use crate::snapshot::Snapshot;
use crate::sql::{Row, params};
use crate::store::Store;

impl Store {
    /// Who holds this token now; `None` where it is unknown, expired or revoked, or its user's access was taken away.
    ///
    /// Nothing is kept between two calls: a token that is revoked in any process is refused from then on.
    ///
    /// # Errors
    ///
    /// As [`Store::snapshot`].
    pub fn token_holder(&self, secret: &[u8]) -> Result<Option<TokenHolder>, Error> {
        let now_ms = self.now_ms();
        self.snapshot()?.db().row(
            "SELECT t.id, t.name, t.scope, u.id, u.is_admin FROM tokens t JOIN users u ON u.id = t.user_id
             WHERE t.hash = ?1 AND t.revoked_ms IS NULL AND (t.expires_ms IS NULL OR t.expires_ms > ?2)
                 AND u.is_active = 1",
            params![&TokenSecret::digest_of(secret)[..], now_ms],
            |row| {
                Ok(TokenHolder {
                    token: row.int(0)?,
                    name: row.string(1)?,
                    scope: scope(row, 2)?,
                    user: UserId(row.int(3)?),
                    is_admin: row.flag(4)?,
                })
            },
        )
    }
}

impl Snapshot {
    /// Whether a token that was valid still is, and its user an administrator or not as before.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn still_holds(&self, holder: &TokenHolder) -> Result<bool, Error> {
        let n = self.db().number(
            "SELECT count(*) FROM tokens t JOIN users u ON u.id = t.user_id
             WHERE t.id = ?1 AND t.revoked_ms IS NULL AND u.is_active = 1 AND u.is_admin = ?2",
            params![holder.token, holder.is_admin],
        )?;
        Ok(n == 1)
    }

    /// Whether a project is stored, and this viewer may know of it.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn may_see(&self, project: ProjectId, viewer: Viewer) -> Result<bool, Error> {
        is_visible(self.db(), project, self.root_of(project)?, viewer)
    }

    /// The strongest role a user has in a project: given there, in any project above it, or in its organisation where
    /// the project has no roles of its own.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn role_in(&self, project: ProjectId, user: UserId) -> Result<Option<Role>, Error> {
        let codes = self.db().rows(
            &format!(
                "SELECT DISTINCT r.role FROM projects p JOIN roles r ON r.user_id = ?2
                 WHERE p.id = ?1 /*! AND p.root_id = ?root */ AND {COVERS}"
            ),
            params![project, user, self.root_of(project)?],
            |row| row.string(0),
        )?;
        Ok(codes.iter().filter_map(|code| Role::from_code(code)).max())
    }

    /// All users by id, with their roles.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn users(&self) -> Result<Vec<UserRow>, Error> {
        let mut grants: HashMap<i64, Vec<(Grant, Role)>> = HashMap::new();
        self.db().query(
            "SELECT user_id, project_id, organisation_id, role FROM roles
             ORDER BY user_id, project_id, organisation_id, role",
            params![],
            &mut |row| {
                let grant = match row.opt_int(1)? {
                    Some(project) => Grant::Project(ProjectId(project)),
                    None => Grant::Organisation(OrganisationId(row.int(2)?)),
                };
                let role = Role::from_code(row.text(3)?).unwrap_or(Role::Viewer);
                grants.entry(row.int(0)?).or_default().push((grant, role));
                Ok(())
            },
        )?;
        self.db().rows(
            "SELECT id, name, email, is_admin, is_active, created_ms FROM users ORDER BY id",
            params![],
            |row| {
                let id = row.int(0)?;
                Ok(UserRow {
                    id: UserId(id),
                    name: row.string(1)?,
                    email: row.opt_string(2)?,
                    is_admin: row.flag(3)?,
                    is_active: row.flag(4)?,
                    created_ms: row.int(5)?,
                    roles: grants.remove(&id).unwrap_or_default(),
                })
            },
        )
    }

    /// Tokens by id, without their secrets; of one user where one is given.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn tokens(&self, user: Option<UserId>) -> Result<Vec<TokenRow>, Error> {
        self.db().rows(
            "SELECT t.id, t.user_id, u.name, t.name, t.scope, t.created_ms, t.expires_ms, t.revoked_ms
             FROM tokens t JOIN users u ON u.id = t.user_id
             WHERE t.user_id = ?1 OR CAST(?1 AS BIGINT) IS NULL ORDER BY t.id",
            params![user],
            |row| {
                Ok(TokenRow {
                    id: row.int(0)?,
                    user: UserId(row.int(1)?),
                    user_name: row.string(2)?,
                    name: row.string(3)?,
                    scope: scope(row, 4)?,
                    created_ms: row.int(5)?,
                    expires_ms: row.opt_int(6)?,
                    revoked_ms: row.opt_int(7)?,
                })
            },
        )
    }
}

fn scope(row: &dyn Row, column: usize) -> Result<TokenScope, Error> {
    let code = row.text(column)?;
    TokenScope::from_code(code).ok_or_else(|| Error::BadRow {
        what: "tokens.scope",
        id: 0,
        found: code.to_owned(),
    })
}

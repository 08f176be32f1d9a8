//! Projects: made, changed, moved, deleted.

use rsr_base::ProjectId;
use rsr_hierarchy::{MoveError, MoveSource as _, check_move};
use uuid::Uuid;

use super::Tx;
use crate::error::{Conflict, Error};
use crate::rows::{NewProject, ProjectEdit};
use crate::sql::{Value, params};
use crate::tree::{WAITING, positions, rebuild};

impl Tx {
    /// Stores a project, as the newest child of its parent.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the parent is not stored, [`Conflict::Taken`] where another project has the identifier.
    pub fn create_project(&mut self, new: &NewProject) -> Result<ProjectId, Error> {
        if let Some(parent) = new.parent {
            self.require_project(parent)?;
        }
        let identifier = new.iati_identifier.as_deref();
        if let Some(value) = identifier
            && self.project_by_identifier(value)?.is_some()
        {
            return Err(Conflict::Taken {
                what: "iati_identifier",
                value: value.to_owned(),
            }
            .into());
        }
        let uuid = new.uuid.unwrap_or_else(Uuid::new_v4);
        let root = new.parent.map(|parent| self.root_of(parent)).transpose()?;
        let id = self.db().number(
            "INSERT INTO projects (uuid, parent_id, iati_identifier, title, title_folded, subtitle, is_published, is_public,
                 is_program, use_project_roles, organisation_id, default_currency, created_ms, changed_ms
                 /*!, root_id */)
             VALUES (?1, ?2, ?3, ?4, ?13, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12
                 /*!, coalesce(CAST(?root AS BIGINT), currval('projects_id_seq')) */) RETURNING id",
            params![
                &uuid.as_bytes()[..],
                new.parent,
                identifier,
                &new.title,
                &new.subtitle,
                new.is_published,
                !new.is_private,
                new.is_program,
                new.use_project_roles,
                new.organisation,
                &new.default_currency,
                self.now_ms,
                &new.title.to_lowercase(),
                root.map_or(Value::OwnRoot, Value::Root),
            ],
        )?;
        let id = ProjectId(id);
        positions::insert(self.db(), id, new.parent)?;
        Ok(id)
    }

    /// Changes the columns that `edit` names.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn edit_project(&mut self, id: ProjectId, edit: &ProjectEdit) -> Result<(), Error> {
        let folded = edit.title.as_deref().map(str::to_lowercase);
        let switches = self.switches(id)?;
        let changed = self.db().execute(
            "UPDATE projects SET title = coalesce(?2, title), title_folded = coalesce(?12, title_folded), subtitle = coalesce(?3, subtitle),
                 is_published = coalesce(?4, is_published), is_public = coalesce(?5, is_public),
                 is_program = coalesce(?6, is_program), use_project_roles = coalesce(?7, use_project_roles),
                 aggregate_to_parent = coalesce(?8, aggregate_to_parent),
                 aggregate_children = coalesce(?9, aggregate_children),
                 organisation_id = coalesce(?10, organisation_id), changed_ms = ?11
             WHERE id = ?1 /*! AND root_id = ?root */",
            params![
                id,
                edit.title.as_deref(),
                edit.subtitle.as_deref(),
                edit.is_published,
                edit.is_public,
                edit.is_program,
                edit.use_project_roles,
                edit.aggregate_to_parent,
                edit.aggregate_children,
                edit.organisation,
                self.now_ms,
                folded.as_deref(),
                self.root_of(id)?,
            ],
        )?;
        if changed == 0 {
            return Err(Error::not_found("project", id));
        }
        if let Some(title) = &edit.title {
            self.retitle(id, title)?;
        }
        let (to_parent, children) = switches;
        if edit.aggregate_to_parent.is_some_and(|is| is != to_parent) {
            self.queue_periods_above(id.0)?;
        }
        if edit.aggregate_children.is_some_and(|is| is != children) {
            self.queue_periods_with_children(id.0)?;
        }
        Ok(())
    }

    /// Whether a project aggregates to its parent, and whether it takes its children.
    fn switches(&self, id: ProjectId) -> Result<(bool, bool), Error> {
        let found = self.db().row(
            "SELECT aggregate_to_parent, aggregate_children FROM projects WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, self.root_of(id)?],
            |row| Ok((row.flag(0)?, row.flag(1)?)),
        )?;
        found.ok_or_else(|| Error::not_found("project", id))
    }

    /// Puts a project, with everything below it, under another parent, or makes it a root.
    ///
    /// Where the project has results inherited from its present parent, only `force` moves it, which cuts these links.
    /// Removing a parent where there is none is no error and changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the project or the parent; [`Conflict::SameNode`], [`Conflict::SameParent`],
    /// [`Conflict::WouldBreakTree`], [`Conflict::InheritedResults`].
    pub fn move_project(
        &mut self,
        id: ProjectId,
        parent: Option<ProjectId>,
        force: bool,
    ) -> Result<(), Error> {
        let present = match parent {
            Some(parent) => check_move(&mut self.snapshot, id, parent, force).map_err(refusal)?,
            None => self.project(id)?.parent,
        };
        if parent.is_none() && present.is_none() {
            return Ok(());
        }
        if !force && self.snapshot.has_inherited_results(id)? {
            return Err(Conflict::InheritedResults(id.0).into());
        }
        self.queue_periods_above(id.0)?;
        // Dimensions may be inherited where no result is.
        self.cut_inheritance(id)?;
        self.db().execute(
            "UPDATE projects SET parent_id = ?2, changed_ms = ?3 WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, parent, self.now_ms, self.root_of(id)?],
        )?;
        positions::relocate(self.db(), id, present, parent)
    }

    /// Deletes a project with everything below it. Answers how many projects went.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn delete_project(&mut self, id: ProjectId) -> Result<usize, Error> {
        let present = self.project(id)?.parent;
        self.queue_periods_above(id.0)?;
        // Rows keep the root they had: they go before anybody asks for another one.
        let root = self.root_of(id)?;
        if positions::detach(self.db(), id, present)? {
            let own = "DELETE FROM positions WHERE root_id = ?1 AND place < ?2";
            self.db().execute(own, params![id, WAITING])?;
        }
        self.db().execute(
            "WITH RECURSIVE branch(id) AS (
                 SELECT CAST(?1 AS BIGINT)
                 UNION SELECT p.id FROM branch JOIN projects p ON p.parent_id = branch.id /*! AND p.root_id = ?root */)
             DELETE FROM projects WHERE id IN (SELECT id FROM branch) /*! AND root_id = ?root */",
            params![id, root],
        )
    }

    /// Numbers all positions anew from the parent links; only what differs is written.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn rebuild_positions(&mut self) -> Result<(), Error> {
        rebuild::all(self.db())?;
        self.db().mend_roots()
    }

    /// Fails where the project is not stored.
    pub(crate) fn require_project(&self, id: ProjectId) -> Result<(), Error> {
        let sql = "SELECT 1 FROM projects WHERE id = ?1 /*! AND root_id = ?root */";
        match self.db().number(sql, params![id, self.root_of(id)?])? {
            0 => Err(Error::not_found("project", id)),
            _ => Ok(()),
        }
    }

    /// Makes inherited results, indicators, periods and dimensions the project's own.
    fn cut_inheritance(&self, id: ProjectId) -> Result<(), Error> {
        let root = self.root_of(id)?;
        for sql in [
            "UPDATE results SET parent_result_id = NULL WHERE project_id = ?1 /*! AND root_id = ?root */",
            "UPDATE indicators SET parent_indicator_id = NULL WHERE project_id = ?1 /*! AND root_id = ?root */",
            "UPDATE periods SET parent_period_id = NULL WHERE project_id = ?1 /*! AND root_id = ?root */",
            "UPDATE dimension_values SET parent_value_id = NULL
             WHERE name_id IN (SELECT n.id FROM dimension_names n WHERE n.project_id = ?1 /*! AND n.root_id = ?root */)
             /*! AND root_id = ?root */",
            "UPDATE dimension_names SET parent_name_id = NULL WHERE project_id = ?1 /*! AND root_id = ?root */",
        ] {
            self.db().execute(sql, params![id, root])?;
        }
        Ok(())
    }
}

fn refusal(error: MoveError<Error>) -> Error {
    match error {
        MoveError::Source(error) => error,
        MoveError::Unknown(id) => Error::not_found("project", id),
        MoveError::SameNode(id) => Conflict::SameNode(id.0).into(),
        MoveError::SameParent(id) => Conflict::SameParent(id.0).into(),
        MoveError::WouldBreakTree { node, parent } => Conflict::WouldBreakTree {
            project: node.0,
            parent: parent.0,
        }
        .into(),
        MoveError::HasInheritedResults(id) => Conflict::InheritedResults(id.0).into(),
        MoveError::Broken(id) => Conflict::Broken(id.0).into(),
        other => Error::Invalid {
            field: "parent",
            reason: other.to_string(),
        },
    }
}

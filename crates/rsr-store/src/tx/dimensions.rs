//! Dimension names and values, with the copies that the projects below hold.

use rsr_base::{DimensionNameId, DimensionValueId, IndicatorId, ProjectId, UpdateId};

use super::Tx;
use crate::error::{Conflict, Error};
use crate::sql::roots::Kind;
use crate::sql::{Root, params};

/// The dimension value ?1 with its copies below, and the copies of those.
const COPIES_OF_VALUE: &str = "WITH RECURSIVE copies(id) AS (
     SELECT CAST(?1 AS BIGINT)
     UNION SELECT v.id FROM copies JOIN dimension_values v ON v.parent_value_id = copies.id /*! AND v.root_id = ?root */)";

impl Tx {
    /// Stores a dimension name, with a copy in each project below that has none of this name.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the project is not stored, [`Conflict::Taken`] where it has the name already.
    pub fn create_dimension_name(
        &mut self,
        project: ProjectId,
        name: &str,
    ) -> Result<DimensionNameId, Error> {
        self.require_project(project)?;
        let root = self.root_of(project)?;
        let id = self.db().row(
            "INSERT INTO dimension_names (project_id, name /*!, root_id */) VALUES (?1, ?2 /*!, ?root */)
             ON CONFLICT (project_id, name /*!, root_id */) DO NOTHING RETURNING id",
            params![project, name, root],
            |row| row.int(0),
        )?;
        let id = id.ok_or_else(|| taken("dimension name", name))?;
        self.copy_dimensions(
            "INSERT INTO dimension_names (project_id, parent_name_id, name /*!, root_id */)
             SELECT c.id, n.id, n.name /*!, c.root_id */
             FROM dimension_names n JOIN projects c ON c.parent_id = n.project_id /*! AND c.root_id = n.root_id */
             WHERE n.id > ?1 AND n.id <= ?2 /*! AND n.root_id = ?root */ ORDER BY n.id, c.id
             ON CONFLICT (project_id, name /*!, root_id */) DO NOTHING",
            "SELECT max(id) FROM dimension_names",
            (root, id),
        )?;
        Ok(DimensionNameId(id))
    }

    /// Stores a value of a dimension name, with a copy under each copy of the name.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the name is not stored, [`Conflict::Taken`] where it has the value already.
    pub fn create_dimension_value(
        &mut self,
        name: DimensionNameId,
        value: &str,
    ) -> Result<DimensionValueId, Error> {
        let root = self.require_rooted(Kind::DimensionName, name.0)?;
        let id = self.db().row(
            "INSERT INTO dimension_values (name_id, value /*!, root_id */) VALUES (?1, ?2 /*!, ?root */)
             ON CONFLICT (name_id, value /*!, root_id */) DO NOTHING RETURNING id",
            params![name, value, root],
            |row| row.int(0),
        )?;
        let id = id.ok_or_else(|| taken("dimension value", value))?;
        self.copy_dimensions(
            "INSERT INTO dimension_values (name_id, parent_value_id, value /*!, root_id */)
             SELECT n.id, v.id, v.value /*!, n.root_id */
             FROM dimension_values v JOIN dimension_names n ON n.parent_name_id = v.name_id /*! AND n.root_id = v.root_id */
             WHERE v.id > ?1 AND v.id <= ?2 /*! AND v.root_id = ?root */ ORDER BY v.id, n.id
             ON CONFLICT (name_id, value /*!, root_id */) DO NOTHING",
            "SELECT max(id) FROM dimension_values",
            (root, id),
        )?;
        Ok(DimensionValueId(id))
    }

    /// Attaches a dimension name to an indicator, and the name's copies to the indicator's copies. Queues their periods,
    /// which have a row for each value from now on.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the indicator or the name.
    pub fn attach_dimension(
        &mut self,
        indicator: IndicatorId,
        name: DimensionNameId,
    ) -> Result<(), Error> {
        let root = self.require_rooted(Kind::Indicator, indicator.0)?;
        self.require_rooted(Kind::DimensionName, name.0)?;
        self.db().execute(
            "WITH RECURSIVE below(indicator, name) AS (
                 SELECT CAST(?1 AS BIGINT), CAST(?2 AS BIGINT)
                 UNION
                 SELECT i.id, n.id
                 FROM below JOIN indicators i ON i.parent_indicator_id = below.indicator /*! AND i.root_id = ?root */
                 JOIN dimension_names n ON n.parent_name_id = below.name AND n.project_id = i.project_id
                     /*! AND n.root_id = i.root_id */)
             INSERT INTO indicator_dimension_names (indicator_id, name_id /*!, root_id */)
             SELECT indicator, name /*!, CAST(?root AS BIGINT) */ FROM below WHERE true
             ON CONFLICT (indicator_id, name_id /*!, root_id */) DO NOTHING",
            params![indicator, name, root],
        )?;
        self.queue_found(
            "WITH RECURSIVE copies(id) AS (
                 SELECT CAST(?1 AS BIGINT)
                 UNION SELECT i.id FROM copies JOIN indicators i ON i.parent_indicator_id = copies.id
                     /*! AND i.root_id = ?root */)
             SELECT p.id FROM copies JOIN periods p ON p.indicator_id = copies.id /*! AND p.root_id = ?root */",
            root,
            indicator.0,
        )?;
        Ok(())
    }

    /// Deletes a dimension name with its values, their copies below and everything reported for them; queues the periods
    /// affected.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Conflict::Inherited`] for a copy.
    pub fn delete_dimension_name(&mut self, id: DimensionNameId) -> Result<(), Error> {
        let root = Root::of(self.db(), Kind::DimensionName, id.0)?;
        let parent = self.db().row(
            "SELECT parent_name_id FROM dimension_names WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, root],
            |row| row.opt_int(0),
        )?;
        match parent {
            None => return Err(Error::not_found("dimension name", id)),
            Some(Some(_)) => return Err(inherited("dimension name", id.0)),
            Some(None) => {}
        }
        let values = self.db().rows(
            "SELECT id FROM dimension_values WHERE name_id = ?1 /*! AND root_id = ?root */",
            params![id, root],
            |row| row.int(0).map(DimensionValueId),
        )?;
        for value in values {
            self.delete_value(root, value)?;
        }
        self.db().execute(
            "DELETE FROM dimension_names WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, root],
        )?;
        Ok(())
    }

    /// Deletes a dimension value with its copies below and everything reported for them; queues the periods affected.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Conflict::Inherited`] for a copy.
    pub fn delete_dimension_value(&mut self, id: DimensionValueId) -> Result<(), Error> {
        let root = Root::of(self.db(), Kind::DimensionValue, id.0)?;
        let parent = self.db().row(
            "SELECT parent_value_id FROM dimension_values WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, root],
            |row| row.opt_int(0),
        )?;
        match parent {
            None => return Err(Error::not_found("dimension value", id)),
            Some(Some(_)) => return Err(inherited("dimension value", id.0)),
            Some(None) => {}
        }
        self.delete_value(root, id)
    }

    fn delete_value(&mut self, root: Root, id: DimensionValueId) -> Result<(), Error> {
        let affected = self.db().rows(
            &format!(
                "{COPIES_OF_VALUE} SELECT u.period_id
                 FROM copies JOIN disaggregations d ON d.dimension_value_id = copies.id /*! AND d.root_id = ?root */
                 JOIN updates u ON u.id = d.update_id /*! AND u.root_id = d.root_id */
                 UNION SELECT m.period_id
                 FROM copies JOIN manual_disaggregations m ON m.dimension_value_id = copies.id /*! AND m.root_id = ?root */"
            ),
            params![id, root],
            |row| row.int(0),
        )?;
        let updates = self.db().rows(
            &format!(
                "{COPIES_OF_VALUE} SELECT DISTINCT d.update_id FROM copies
                 JOIN disaggregations d ON d.dimension_value_id = copies.id /*! AND d.root_id = ?root */ ORDER BY d.update_id"
            ),
            params![id, root],
            |row| row.int(0).map(UpdateId),
        )?;
        self.db().execute(
            "DELETE FROM dimension_values WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, root],
        )?;
        self.mark_anew(&updates)?;
        for period in affected {
            self.queue_changed_period(period.into())?;
        }
        Ok(())
    }

    /// Copies rows level by level from the one just stored.
    fn copy_dimensions(
        &self,
        copy: &str,
        last_id: &str,
        (root, id): (Root, i64),
    ) -> Result<(), Error> {
        let (mut low, mut high) = (id - 1, id);
        while self.db().execute(copy, params![low, high, root])? > 0 {
            low = high;
            high = self.db().number(last_id, params![])?;
        }
        Ok(())
    }
}

fn inherited(kind: &'static str, id: i64) -> Error {
    Conflict::Inherited { kind, id }.into()
}

fn taken(what: &'static str, value: &str) -> Error {
    Conflict::Taken {
        what,
        value: value.to_owned(),
    }
    .into()
}

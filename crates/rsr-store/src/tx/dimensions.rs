//! Dimension names and values, with the copies that the projects below hold.

use rsr_base::{DimensionNameId, DimensionValueId, IndicatorId, ProjectId, UpdateId};

use super::Tx;
use crate::error::{Conflict, Error};
use crate::sql::params;

/// The dimension value ?1 with its copies below, and the copies of those.
const COPIES_OF_VALUE: &str = "WITH RECURSIVE copies(id) AS (
     SELECT CAST(?1 AS BIGINT) UNION SELECT v.id FROM copies JOIN dimension_values v ON v.parent_value_id = copies.id)";

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
        let id = self.db().row(
            "INSERT INTO dimension_names (project_id, name) VALUES (?1, ?2)
             ON CONFLICT (project_id, name) DO NOTHING RETURNING id",
            params![project, name],
            |row| row.int(0),
        )?;
        let id = id.ok_or_else(|| taken("dimension name", name))?;
        self.copy_dimensions(
            "INSERT INTO dimension_names (project_id, parent_name_id, name)
             SELECT c.id, n.id, n.name FROM dimension_names n JOIN projects c ON c.parent_id = n.project_id
             WHERE n.id > ?1 AND n.id <= ?2 ON CONFLICT (project_id, name) DO NOTHING",
            "SELECT max(id) FROM dimension_names",
            id,
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
        self.require(
            "dimension name",
            "SELECT 1 FROM dimension_names WHERE id = ?1",
            name.0,
        )?;
        let id = self.db().row(
            "INSERT INTO dimension_values (name_id, value) VALUES (?1, ?2)
             ON CONFLICT (name_id, value) DO NOTHING RETURNING id",
            params![name, value],
            |row| row.int(0),
        )?;
        let id = id.ok_or_else(|| taken("dimension value", value))?;
        self.copy_dimensions(
            "INSERT INTO dimension_values (name_id, parent_value_id, value)
             SELECT n.id, v.id, v.value FROM dimension_values v JOIN dimension_names n ON n.parent_name_id = v.name_id
             WHERE v.id > ?1 AND v.id <= ?2 ON CONFLICT (name_id, value) DO NOTHING",
            "SELECT max(id) FROM dimension_values",
            id,
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
        self.require(
            "indicator",
            "SELECT 1 FROM indicators WHERE id = ?1",
            indicator.0,
        )?;
        self.require(
            "dimension name",
            "SELECT 1 FROM dimension_names WHERE id = ?1",
            name.0,
        )?;
        self.db().execute(
            "WITH RECURSIVE below(indicator, name) AS (
                 SELECT CAST(?1 AS BIGINT), CAST(?2 AS BIGINT)
                 UNION
                 SELECT i.id, n.id FROM below JOIN indicators i ON i.parent_indicator_id = below.indicator
                 JOIN dimension_names n ON n.parent_name_id = below.name AND n.project_id = i.project_id)
             INSERT INTO indicator_dimension_names (indicator_id, name_id)
             SELECT indicator, name FROM below WHERE true ON CONFLICT (indicator_id, name_id) DO NOTHING",
            params![indicator, name],
        )?;
        self.queue_found(
            "WITH RECURSIVE copies(id) AS (
                 SELECT CAST(?1 AS BIGINT) UNION SELECT i.id FROM copies JOIN indicators i ON i.parent_indicator_id = copies.id)
             SELECT p.id FROM copies JOIN periods p ON p.indicator_id = copies.id",
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
        let parent = self.db().row(
            "SELECT parent_name_id FROM dimension_names WHERE id = ?1",
            params![id],
            |row| row.opt_int(0),
        )?;
        match parent {
            None => return Err(Error::not_found("dimension name", id)),
            Some(Some(_)) => return Err(inherited("dimension name", id.0)),
            Some(None) => {}
        }
        let values = self.db().rows(
            "SELECT id FROM dimension_values WHERE name_id = ?1",
            params![id],
            |row| row.int(0).map(DimensionValueId),
        )?;
        for value in values {
            self.delete_value(value)?;
        }
        self.db()
            .execute("DELETE FROM dimension_names WHERE id = ?1", params![id])?;
        Ok(())
    }

    /// Deletes a dimension value with its copies below and everything reported for them; queues the periods affected.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Conflict::Inherited`] for a copy.
    pub fn delete_dimension_value(&mut self, id: DimensionValueId) -> Result<(), Error> {
        let parent = self.db().row(
            "SELECT parent_value_id FROM dimension_values WHERE id = ?1",
            params![id],
            |row| row.opt_int(0),
        )?;
        match parent {
            None => return Err(Error::not_found("dimension value", id)),
            Some(Some(_)) => return Err(inherited("dimension value", id.0)),
            Some(None) => {}
        }
        self.delete_value(id)
    }

    fn delete_value(&mut self, id: DimensionValueId) -> Result<(), Error> {
        let affected = self.db().rows(
            &format!(
                "{COPIES_OF_VALUE} SELECT u.period_id FROM copies JOIN disaggregations d ON d.dimension_value_id = copies.id
                 JOIN updates u ON u.id = d.update_id
                 UNION SELECT m.period_id FROM copies JOIN manual_disaggregations m ON m.dimension_value_id = copies.id"
            ),
            params![id],
            |row| row.int(0),
        )?;
        let updates = self.db().rows(
            &format!(
                "{COPIES_OF_VALUE} SELECT DISTINCT d.update_id FROM copies
                 JOIN disaggregations d ON d.dimension_value_id = copies.id ORDER BY d.update_id"
            ),
            params![id],
            |row| row.int(0).map(UpdateId),
        )?;
        self.db()
            .execute("DELETE FROM dimension_values WHERE id = ?1", params![id])?;
        self.mark_anew(&updates)?;
        for period in affected {
            self.queue_changed_period(period.into())?;
        }
        Ok(())
    }

    /// Copies rows level by level from the one just stored.
    fn copy_dimensions(&self, copy: &str, last_id: &str, id: i64) -> Result<(), Error> {
        let (mut low, mut high) = (id - 1, id);
        while self.db().execute(copy, params![low, high])? > 0 {
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

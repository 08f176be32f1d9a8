//! Which rows of a project are copies, and of what.

use rsr_base::{DimensionValueId, PeriodId, ProjectId};

use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::sql::params;

impl Snapshot {
    /// The periods of a project that are copies, each after its original in the parent; by original.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn period_copies(&self, project: ProjectId) -> Result<Vec<(PeriodId, PeriodId)>, Error> {
        self.db().rows(
            "SELECT parent_period_id, id FROM periods
             WHERE project_id = ?1 /*! AND root_id = ?root */ AND parent_period_id IS NOT NULL
             ORDER BY parent_period_id, id",
            params![project, self.root_of(project)?],
            |row| Ok((PeriodId(row.int(0)?), PeriodId(row.int(1)?))),
        )
    }

    /// The dimension values of a project that are copies, each after its original in the parent; by original.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn dimension_value_copies(
        &self,
        project: ProjectId,
    ) -> Result<Vec<(DimensionValueId, DimensionValueId)>, Error> {
        self.db().rows(
            "SELECT v.parent_value_id, v.id FROM dimension_names n
             JOIN dimension_values v ON v.name_id = n.id /*! AND v.root_id = n.root_id */
             WHERE n.project_id = ?1 /*! AND n.root_id = ?root */ AND v.parent_value_id IS NOT NULL ORDER BY v.parent_value_id, v.id",
            params![project, self.root_of(project)?],
            |row| Ok((DimensionValueId(row.int(0)?), DimensionValueId(row.int(1)?))),
        )
    }
}

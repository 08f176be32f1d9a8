//! The IATI elements of a project that was not imported.

use rsr_base::ProjectId;
use rsr_iati::model::{ActivityElement, ActivityHead, ElementKind, Narrative, TextBlock};
use rsr_iati::schema::FragmentChecker;

use super::Tx;
use crate::elements::{ElementWriter, KnownOrganisations, Summary, clear, place};
use crate::error::Error;
use crate::sql::params;

impl Tx {
    /// Puts these elements in the place of those a project has, and derives its title, dates, status, reporting
    /// organisation and the queried rows from them. Results are rows of their own and are left alone.
    ///
    /// Answers the elements that exports will leave out, with the reason of each.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the project is not stored, [`Error::Invalid`] for a result among the elements.
    pub fn put_elements(
        &mut self,
        project: ProjectId,
        head: &ActivityHead,
        elements: &[ActivityElement],
    ) -> Result<Vec<(&'static str, String)>, Error> {
        self.require_project(project)?;
        let mut checker = FragmentChecker::new();
        let currency = head.default_currency.as_deref().unwrap_or_default();
        let root = self.root_of(project)?;
        clear(self.db(), project, root)?;
        let mut writer = ElementWriter::new(self.db(), (project, root), currency, &mut checker);
        let mut summary = Summary::default();
        let mut left_out = Vec::new();
        for element in elements {
            if matches!(element, ActivityElement::Result(_)) {
                return Err(Error::Invalid {
                    field: "elements",
                    reason: "a result is stored with create_result".to_owned(),
                });
            }
            summary.note(element);
            let objection = writer.write(element, &element.to_xml())?;
            left_out.extend(objection.map(|reason| (element.kind().name(), reason)));
        }
        let mut known = KnownOrganisations::default();
        summary.write(self.db(), (project, root), head, self.now_ms, &mut known)?;
        Ok(left_out)
    }

    /// Puts a new title into the element that exports give, in the place of the first text that says something. A
    /// project without any elements has none to keep in step.
    pub(super) fn retitle(&self, project: ProjectId, title: &str) -> Result<(), Error> {
        let root = self.root_of(project)?;
        let stored = self.db().row(
            "SELECT place, xml FROM project_elements
             WHERE project_id = ?1 /*! AND root_id = ?root */ AND name = 'title' ORDER BY place LIMIT 1",
            params![project, root],
            |row| Ok((row.int(0)?, row.string(1)?)),
        )?;
        let has_elements = self.db().number(
            "SELECT EXISTS (SELECT 1 FROM project_elements WHERE project_id = ?1 /*! AND root_id = ?root */)",
            params![project, root],
        )?;
        let (at, mut block) = match stored {
            Some((at, xml)) => match ActivityElement::from_xml(&xml) {
                Ok(ActivityElement::Title(block)) => (at, block),
                _ => (at, TextBlock::default()),
            },
            None if has_elements != 0 => (place(ElementKind::Title, 0), TextBlock::default()),
            None => return Ok(()),
        };
        let shown = block
            .narratives
            .iter_mut()
            .find(|text| !text.text.trim().is_empty());
        match shown {
            Some(narrative) => title.clone_into(&mut narrative.text),
            None => block.narratives = vec![Narrative::new(title)],
        }
        let element = ActivityElement::Title(block);
        let objection = element.gaps().first().map(ToString::to_string);
        self.db().execute(
            "INSERT INTO project_elements (project_id, place, name, xml, omitted_because /*!, root_id */)
             VALUES (?1, ?2, 'title', ?3, ?4 /*!, ?root */)
             ON CONFLICT (project_id, place /*!, root_id */) DO UPDATE SET xml = excluded.xml,
                 omitted_because = excluded.omitted_because",
            params![project, at, &element.to_xml(), objection.as_deref(), root],
        )?;
        Ok(())
    }
}

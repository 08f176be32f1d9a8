//! The IATI elements of a project that was not imported.

use rsr_base::ProjectId;
use rsr_iati::model::{ActivityElement, ActivityHead};
use rsr_iati::schema::FragmentChecker;

use super::Tx;
use crate::elements::{ElementWriter, Summary, clear};
use crate::error::Error;

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
        clear(self.db(), project)?;
        let mut writer = ElementWriter::new(self.db(), project, currency, &mut checker);
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
        summary.write(self.db(), project, head, self.now_ms)?;
        Ok(left_out)
    }
}

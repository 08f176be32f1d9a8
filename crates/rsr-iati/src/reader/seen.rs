//! What an activity or an organisation has had of its elements.

use crate::finding::Severity;
use crate::model::{Child, Pull};

/// A bit for each kind of element.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen(u64);

impl Seen {
    /// Takes in an element that was just read: the first identifier is that of all findings to come, and what may stand
    /// once and comes again is found.
    pub(super) fn note<E: Child>(&mut self, element: &E, pull: &mut Pull<'_, '_>) {
        if let Some(identifier) = element.as_identifier()
            && pull.findings.identifier.is_none()
        {
            pull.findings.identifier = Some(identifier.to_owned());
            if identifier.is_empty() {
                no_identifier::<E>(pull);
            }
        }
        let place = element.place();
        let bit = 1_u64 << place;
        if self.0 & bit != 0
            && let Some(kind) = E::PLACES.get(place)
            && !kind.is_repeatable
        {
            let message = format!("<{}> stands a second time", kind.name);
            pull.find(Severity::Error, "repeated-element", &message);
        }
        self.0 |= bit;
    }
}

/// At the end tag: finds that no identifier came. A blank one was found where it stood.
pub(super) fn note_end<E: Child>(pull: &mut Pull<'_, '_>) {
    if pull.findings.identifier.is_none() {
        no_identifier::<E>(pull);
    }
}

fn no_identifier<E: Child>(pull: &mut Pull<'_, '_>) {
    let message = format!("the {} has no identifier", E::NOUN);
    pull.find(Severity::Error, "blank-identifier", &message);
}

//! Activities of a file as a source of an export.

use std::convert::Infallible;
use std::io::Read;

use rsr_iati::export::{ActivitySource, ExportNote, ExportOptions, ExportSummary, export};
use rsr_iati::model::{ActivityElement, ActivityHead};
use rsr_iati::reader::{ActivityReader, Event};

/// An activity in memory. Tests alone hold whole ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Activity {
    pub(crate) head: ActivityHead,
    pub(crate) elements: Vec<ActivityElement>,
}

/// Reads activities, each with its elements in the order of 2.03, until the end or a fatal error.
pub(crate) fn read(input: impl Read + Send) -> Vec<Activity> {
    let mut reader = ActivityReader::new(input);
    let mut all = Vec::new();
    let mut open = None;
    while let Ok(Some(event)) = reader.next_event() {
        match event {
            Event::ActivityStart(head, _) => {
                open = Some(Activity {
                    head,
                    elements: Vec::new(),
                });
            }
            Event::Element(element, _) => {
                if let Some(activity) = &mut open {
                    activity.elements.push(element);
                }
            }
            Event::ActivityEnd => {
                let mut activity = open.take().expect("an activity ends after it began");
                activity.elements.sort_by_key(ActivityElement::rank);
                all.push(activity);
            }
            Event::ActivitySkipped(_) => open = None,
        }
    }
    all
}

/// Gives activities once.
#[derive(Debug)]
pub(crate) struct Memory {
    activities: std::vec::IntoIter<Activity>,
    elements: std::vec::IntoIter<ActivityElement>,
}

impl Memory {
    pub(crate) fn new(activities: Vec<Activity>) -> Self {
        Self {
            activities: activities.into_iter(),
            elements: Vec::new().into_iter(),
        }
    }
}

impl ActivitySource for Memory {
    type Error = Infallible;

    fn next_activity(&mut self) -> Result<Option<ActivityHead>, Infallible> {
        let Some(activity) = self.activities.next() else {
            return Ok(None);
        };
        self.elements = activity.elements.into_iter();
        Ok(Some(activity.head))
    }

    fn next_element(&mut self) -> Result<Option<ActivityElement>, Infallible> {
        Ok(self.elements.next())
    }
}

/// Exports to memory.
pub(crate) fn written(activities: Vec<Activity>) -> (Vec<u8>, ExportSummary, Vec<ExportNote>) {
    let mut out = Vec::new();
    let mut notes = Vec::new();
    let options = ExportOptions::default();
    let summary = export(
        &mut Memory::new(activities),
        &mut out,
        &options,
        &mut |note| notes.push(note),
    )
    .unwrap();
    (out, summary, notes)
}

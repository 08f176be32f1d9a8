//! Which activity the reader is in, and what it is called.

use std::io::Read;

use crate::xml::Reader;

/// Bytes kept of an identifier and of a title; they are for people to find the activity by.
const SHOWN_MAX: usize = 1024;

/// An activity or organisation that has been read.
#[derive(Debug, Default)]
pub(super) struct Subject {
    pub(super) identifier: String,
    pub(super) title: String,
    /// Where its start tag ends.
    pub(super) line: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Elsewhere,
    Identifier,
    Title,
}

/// Watches the tags go by.
#[derive(Debug, Default)]
pub(super) struct Watch {
    subject: Subject,
    /// The depth of the activity's element, 0 outside of one.
    inside: usize,
    place: Place,
    has_title: bool,
}

impl Watch {
    /// Whether the token at hand belongs to an activity.
    pub(super) fn is_inside(&self) -> bool {
        self.inside > 0
    }

    pub(super) fn start<R: Read>(&mut self, reader: &Reader<R>, line: u64) {
        if self.inside > 0 {
            return self.child(reader);
        }
        let is_subject = reader.depth() <= 2
            && reader.is_unqualified()
            && matches!(reader.local_name(), "iati-activity" | "iati-organisation");
        if is_subject {
            self.inside = reader.depth();
            self.has_title = false;
            self.subject.line = line;
        }
    }

    fn child<R: Read>(&mut self, reader: &Reader<R>) {
        match reader.depth() - self.inside {
            1 if reader.is_unqualified() => {
                self.place = match reader.local_name() {
                    "iati-identifier" | "organisation-identifier"
                        if self.subject.identifier.is_empty() =>
                    {
                        Place::Identifier
                    }
                    "title" | "name" if !self.has_title => {
                        self.has_title = true;
                        Place::Title
                    }
                    _ => Place::Elsewhere,
                };
            }
            // The second narrative is the title in another language.
            2 if self.place == Place::Title && !self.subject.title.trim().is_empty() => {
                self.place = Place::Elsewhere;
            }
            _ => {}
        }
    }

    /// Whether white space alone, at this place, is part of what is kept.
    pub(super) fn minds_blanks(&self) -> bool {
        self.place != Place::Elsewhere
    }

    pub(super) fn text<R: Read>(&mut self, reader: &Reader<R>) {
        if self.place == Place::Elsewhere {
            return;
        }
        let text = reader.text();
        let into = if self.place == Place::Title {
            &mut self.subject.title
        } else {
            &mut self.subject.identifier
        };
        let end = text.floor_char_boundary(text.len().min(SHOWN_MAX.saturating_sub(into.len())));
        into.push_str(text.get(..end).unwrap_or_default());
    }

    /// Looks at an end tag; gives the activity that ends with it, if one does.
    pub(super) fn end<R: Read>(&mut self, reader: &Reader<R>) -> Option<Subject> {
        if reader.depth() == self.inside + 1 {
            self.place = Place::Elsewhere;
        }
        (self.inside > 0 && reader.depth() == self.inside).then(|| {
            self.inside = 0;
            self.take_open()
        })
    }

    /// What is known of the activity at hand.
    pub(super) fn take_open(&mut self) -> Subject {
        self.place = Place::Elsewhere;
        let subject = std::mem::take(&mut self.subject);
        Subject {
            identifier: subject.identifier.trim().to_owned(),
            title: subject.title.trim().to_owned(),
            line: subject.line,
        }
    }
}

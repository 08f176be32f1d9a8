//! One activity on its way into a file.

use std::io::Write;

use super::{FileWriter, WriteError, required};
use crate::model::{ActivityElement, ActivityHead, ElementKind, Fragment, write_head};

/// How much is gathered before it is written.
pub(super) const FLUSH_BYTES: usize = 64 * 1024;

/// What becomes of elements and activities that lack what 2.03 asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gaps {
    /// They are refused, with an error that names what is missing or, where all is there, not valid. Attributes of an
    /// activity that mean nothing are left out; none of them is required.
    #[default]
    Refuse,
    /// They are written with the gap: the file will not be valid. Nothing is ever invented to fill it.
    Write,
}

/// Takes the elements of one activity in the order of 2.03. See the [module](super) for an example.
///
/// Dropped without [`end`](Self::end), it leaves no trace where nothing of it has reached the file, which is so until an
/// element after `activity-date` was written.
#[derive(Debug)]
pub struct ActivityWriter<'f, W: Write> {
    file: &'f mut FileWriter<W>,
    language: Option<String>,
    /// Length of the file's buffer before this activity.
    mark: usize,
    last: Option<ElementKind>,
    /// A bit for each kind that was written.
    seen: u64,
    state: State,
    n_replaced: u64,
    n_left_out: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// What every activity has is still to come; all of it is in the buffer.
    Head,
    /// All that every activity has is there.
    Body,
    /// Something that every activity has is missing.
    Refused(ElementKind),
    Ended,
}

impl<'f, W: Write> ActivityWriter<'f, W> {
    pub(super) fn new(file: &'f mut FileWriter<W>, head: &ActivityHead) -> Self {
        let mark = file.buffer.len();
        let valid = (file.options.gaps == Gaps::Refuse).then(|| head.without_gaps());
        let head = valid.as_ref().map_or(head, |(valid, _)| valid);
        let n_gaps = valid.as_ref().map_or(0, |(_, n)| *n);
        let (n_replaced, n_left_out) = write_head(head, &file.options.namespaces, &mut file.buffer);
        file.buffer.push('\n');
        Self {
            language: head.language.clone(),
            file,
            mark,
            last: None,
            seen: 0,
            state: State::Head,
            n_replaced,
            n_left_out: n_left_out + n_gaps,
        }
    }

    /// Writes an element.
    ///
    /// # Errors
    ///
    /// [`WriteError::OutOfOrder`], [`WriteError::Repeated`], [`WriteError::Unknown`] and [`WriteError::Gaps`] leave the
    /// element out and the activity as it was. After [`WriteError::Missing`] nothing more of it is taken.
    /// [`WriteError::Io`] ends the file.
    pub fn element(&mut self, element: &ActivityElement) -> Result<(), WriteError> {
        let kind = element.kind();
        self.check_place(element, kind)?;
        if kind > ElementKind::ActivityDate {
            self.leave_head()?;
        }
        self.write(element)?;
        self.file.buffer.push('\n');
        self.last = Some(kind);
        self.seen |= 1 << element.rank();
        if self.state == State::Body && self.file.buffer.len() >= FLUSH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the activity.
    ///
    /// # Errors
    ///
    /// [`WriteError::Missing`] where it lacks an element that every activity has, and [`WriteError::Io`].
    pub fn end(mut self) -> Result<(), WriteError> {
        self.leave_head()?;
        self.file.buffer.push_str("</iati-activity>\n");
        self.state = State::Ended;
        self.file.n_activities += 1;
        self.file.n_replaced += self.n_replaced;
        self.file.n_left_out += self.n_left_out;
        if self.file.buffer.len() >= FLUSH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes the element, or nothing where it may not be written.
    fn write(&mut self, element: &ActivityElement) -> Result<(), WriteError> {
        let FileWriter {
            buffer, options, ..
        } = &mut *self.file;
        if options.gaps == Gaps::Refuse {
            let gaps = element.gaps();
            if !gaps.is_empty() {
                return Err(WriteError::Gaps { gaps });
            }
        }
        let mut out = Fragment::new(buffer)
            .with_scope(&options.namespaces)
            .with_language(self.language.as_deref());
        element.write(&mut out);
        let (n_replaced, n_left_out) = (out.n_replaced, out.n_left_out);
        self.n_replaced += n_replaced;
        self.n_left_out += n_left_out;
        Ok(())
    }

    fn check_place(&self, element: &ActivityElement, kind: ElementKind) -> Result<(), WriteError> {
        if let State::Refused(missing) = self.state {
            return Err(WriteError::Missing {
                element: missing.name(),
            });
        }
        if kind == ElementKind::Unknown {
            return Err(WriteError::Unknown {
                element: element.name().to_owned(),
            });
        }
        match self.last {
            Some(last) if last > kind => {
                let after = if last == ElementKind::Extension {
                    "extension"
                } else {
                    last.name()
                };
                Err(WriteError::OutOfOrder {
                    element: kind.name(),
                    after,
                })
            }
            Some(last) if last == kind && !kind.is_repeatable() => Err(WriteError::Repeated {
                element: kind.name(),
            }),
            _ => Ok(()),
        }
    }

    /// Makes sure that what every activity has is there.
    fn leave_head(&mut self) -> Result<(), WriteError> {
        match self.state {
            State::Body | State::Ended => return Ok(()),
            State::Refused(missing) => {
                return Err(WriteError::Missing {
                    element: missing.name(),
                });
            }
            State::Head => {}
        }
        if self.file.options.gaps == Gaps::Refuse
            && let Some(missing) = required().find(|kind| self.seen & (1 << (*kind as u32)) == 0)
        {
            self.state = State::Refused(missing);
            return Err(WriteError::Missing {
                element: missing.name(),
            });
        }
        self.state = State::Body;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.mark = 0;
        self.file.unfinished = self.state != State::Ended;
        self.file.flush_buffer()?;
        Ok(())
    }
}

impl<W: Write> Drop for ActivityWriter<'_, W> {
    fn drop(&mut self) {
        if self.state == State::Ended {
            self.file.unfinished = false;
        } else {
            // What reached the output cannot be taken back; `unfinished` says so.
            self.file.buffer.truncate(self.mark);
        }
    }
}

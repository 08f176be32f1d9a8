//! One activity or organisation on its way into a file.

use std::io::Write;

use super::{FileWriter, WriteError};
use crate::model::{Child, Fragment, Head as _, write_head};

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

/// Takes the elements of one activity, or of one organisation, in the order of 2.03. See the [module](super) for an
/// example.
///
/// Dropped without [`end`](Self::end), it leaves no trace where nothing of it has reached the file, which is so until an
/// element after the last that has to be there (`activity-date`, `reporting-org` of an organisation) was written.
#[derive(Debug)]
#[expect(
    private_bounds,
    reason = "an activity and an organisation are all there is to write"
)]
pub struct SubjectWriter<'f, W: Write, E: Child> {
    file: &'f mut FileWriter<W, E>,
    language: Option<String>,
    /// Length of the file's buffer before this activity.
    mark: usize,
    /// The place of the last element that was written.
    last: Option<usize>,
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
    Refused(&'static str),
    Ended,
}

/// The name of what stands at that place; extensions and what is unknown have none of their own.
fn name_of<E: Child>(place: usize) -> &'static str {
    E::PLACES.get(place).map_or("extension", |kind| kind.name)
}

#[expect(private_bounds, reason = "as of the struct")]
impl<'f, W: Write, E: Child> SubjectWriter<'f, W, E> {
    pub(super) fn new(file: &'f mut FileWriter<W, E>, head: &E::Head) -> Self {
        let mark = file.buffer.len();
        let valid = (file.options.gaps == Gaps::Refuse).then(|| head.without_gaps());
        let head = valid.as_ref().map_or(head, |(valid, _)| valid);
        let n_gaps = valid.as_ref().map_or(0, |(_, n)| *n);
        let scope = &file.options.namespaces;
        let (n_replaced, n_left_out) = write_head(E::SUBJECT, head, scope, &mut file.buffer);
        file.buffer.push('\n');
        Self {
            language: head.language().map(str::to_owned),
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
    pub fn element(&mut self, element: &E) -> Result<(), WriteError> {
        let place = element.place();
        self.check_place(element, place)?;
        if E::PLACES.iter().skip(place).all(|kind| !kind.is_required) {
            self.leave_head()?;
        }
        self.write(element)?;
        self.file.buffer.push('\n');
        self.last = Some(place);
        self.seen |= 1 << place;
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
        let buffer = &mut self.file.buffer;
        buffer.push_str("</");
        buffer.push_str(E::SUBJECT);
        buffer.push_str(">\n");
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
    fn write(&mut self, element: &E) -> Result<(), WriteError> {
        let FileWriter {
            buffer, options, ..
        } = &mut *self.file;
        if options.gaps == Gaps::Refuse {
            let gaps = element.all_gaps();
            if !gaps.is_empty() {
                return Err(WriteError::Gaps { gaps });
            }
        }
        let mut out = Fragment::new(buffer)
            .with_scope(&options.namespaces)
            .with_language(self.language.as_deref());
        element.write_to(&mut out);
        let (n_replaced, n_left_out) = (out.n_replaced, out.n_left_out);
        self.n_replaced += n_replaced;
        self.n_left_out += n_left_out;
        Ok(())
    }

    fn check_place(&self, element: &E, place: usize) -> Result<(), WriteError> {
        if let State::Refused(missing) = self.state {
            return Err(missing_error::<E>(missing));
        }
        // Past all places come extensions, and then what has none.
        if place > E::PLACES.len() {
            return Err(WriteError::Unknown {
                element: element.written_name().to_owned(),
            });
        }
        match self.last {
            Some(last) if last > place => Err(WriteError::OutOfOrder {
                element: name_of::<E>(place),
                after: name_of::<E>(last),
            }),
            Some(last)
                if last == place
                    && E::PLACES.get(place).is_some_and(|kind| !kind.is_repeatable) =>
            {
                Err(WriteError::Repeated {
                    element: name_of::<E>(place),
                })
            }
            _ => Ok(()),
        }
    }

    /// Makes sure that what every activity has is there.
    fn leave_head(&mut self) -> Result<(), WriteError> {
        match self.state {
            State::Body | State::Ended => return Ok(()),
            State::Refused(missing) => return Err(missing_error::<E>(missing)),
            State::Head => {}
        }
        let mut kinds = E::PLACES.iter().enumerate();
        if self.file.options.gaps == Gaps::Refuse
            && let Some((_, missing)) =
                kinds.find(|(place, kind)| kind.is_required && self.seen & (1 << place) == 0)
        {
            self.state = State::Refused(missing.name);
            return Err(missing_error::<E>(missing.name));
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

fn missing_error<E: Child>(element: &'static str) -> WriteError {
    WriteError::Missing {
        subject: E::NOUN,
        element,
    }
}

impl<W: Write, E: Child> Drop for SubjectWriter<'_, W, E> {
    fn drop(&mut self) {
        if self.state == State::Ended {
            self.file.unfinished = false;
        } else {
            // What reached the output cannot be taken back; `unfinished` says so.
            self.file.buffer.truncate(self.mark);
        }
    }
}

//! The children of an activity or an organisation in the order of 2.03, however they came.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use rsr_base::{ByteSize, read_at_most};

use super::subject::Subject;

/// Bytes of fragments that are held in memory; what comes after waits in temporary files, one a kind.
const HELD_BYTES_MAX: usize = 512 << 10;

/// Sorts the elements of one activity by kind; those of one kind stay in the order they came in. Memory: half a MiB of
/// elements and the largest one, whatever the activity holds.
#[derive(Debug)]
pub(crate) struct Ordered<E> {
    kinds: Vec<Kind<E>>,
    n_held_bytes: usize,
    /// The kind that elements are taken from.
    at: usize,
}

/// The elements of one kind: first those in the file, then those in memory.
#[derive(Debug)]
struct Kind<E> {
    spilled: Option<BufWriter<File>>,
    reading: Option<(BufReader<File>, u64)>,
    n_spilled: u64,
    held: VecDeque<(E, String)>,
}

impl<E> Default for Kind<E> {
    fn default() -> Self {
        Self {
            spilled: None,
            reading: None,
            n_spilled: 0,
            held: VecDeque::new(),
        }
    }
}

impl<E: Subject> Default for Ordered<E> {
    fn default() -> Self {
        let mut kinds = Vec::new();
        kinds.resize_with(E::N_KINDS, Kind::default);
        Self {
            kinds,
            n_held_bytes: 0,
            at: 0,
        }
    }
}

impl<E: Subject> Ordered<E> {
    /// Forgets the activity before.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes in an element with its canonical fragment.
    pub(crate) fn push(&mut self, element: E, xml: String) -> io::Result<()> {
        self.n_held_bytes += xml.len();
        if let Some(kind) = self.kinds.get_mut(element.rank()) {
            kind.held.push_back((element, xml));
        }
        if self.n_held_bytes > HELD_BYTES_MAX {
            for kind in &mut self.kinds {
                kind.spill()?;
            }
            self.n_held_bytes = 0;
        }
        Ok(())
    }

    /// The next element of all that were taken in; `None` after the last one.
    pub(crate) fn pop(&mut self) -> io::Result<Option<E>> {
        while let Some(kind) = self.kinds.get_mut(self.at) {
            if let Some(element) = kind.pop()? {
                return Ok(Some(element));
            }
            self.at += 1;
        }
        Ok(None)
    }
}

impl<E: Subject> Kind<E> {
    fn spill(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let out = match &mut self.spilled {
            Some(out) => out,
            None => self.spilled.insert(BufWriter::new(tempfile::tempfile()?)),
        };
        for (_, xml) in self.held.drain(..) {
            out.write_all(&(xml.len() as u64).to_le_bytes())?;
            out.write_all(xml.as_bytes())?;
            self.n_spilled += 1;
        }
        Ok(())
    }

    fn pop(&mut self) -> io::Result<Option<E>> {
        if let Some(written) = self.spilled.take() {
            let mut file = written
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            self.reading = Some((BufReader::new(file), self.n_spilled));
        }
        if let Some((file, left)) = &mut self.reading
            && let Some(rest) = left.checked_sub(1)
        {
            *left = rest;
            return read_one(file).map(Some);
        }
        Ok(self.held.pop_front().map(|(element, _)| element))
    }
}

fn read_one<E: Subject>(file: &mut BufReader<File>) -> io::Result<E> {
    let mut len = [0; 8];
    file.read_exact(&mut len)?;
    let len = u64::from_le_bytes(len);
    let bytes =
        read_at_most(file.take(len), ByteSize::from_bytes(len)).map_err(io::Error::other)?;
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    E::from_xml(&text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use rsr_iati::model::{ActivityElement, LegacyData, TextBlock};

    use super::*;

    fn check(padding: usize, n: usize) {
        let mut ordered = Ordered::default();
        let mut expected = Vec::new();
        for nth in 0..n {
            let data = ActivityElement::LegacyData(LegacyData {
                name: Some(nth.to_string()),
                value: Some("x".repeat(padding)),
                ..LegacyData::default()
            });
            expected.push(data.clone());
            ordered.push(data.clone(), data.to_xml()).unwrap();
        }
        let title = ActivityElement::Title(TextBlock::new("last to come, first to go"));
        ordered.push(title.clone(), title.to_xml()).unwrap();
        expected.insert(0, title);
        let mut found = Vec::new();
        while let Some(element) = ordered.pop().unwrap() {
            found.push(element);
        }
        assert!(
            found == expected,
            "{} elements of {}",
            found.len(),
            expected.len()
        );
    }

    #[test]
    fn elements_come_by_kind_and_then_as_they_came() {
        check(1, 3);
    }

    #[test]
    fn so_do_those_that_wait_on_disk() {
        check(1_000, 2_000);
        check(HELD_BYTES_MAX, 3);
    }
}

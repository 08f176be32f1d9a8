//! One activity, held until its end.

use std::ops::ControlFlow;

use rsr_iati::model::{ActivityElement, ActivityHead, ElementKind};
use rsr_iati::xml::Position;
use sha2::{Digest as _, Sha256};

use crate::elements::{ElementRow, Summary, head_to_xml};
use crate::error::Error;
use crate::sql::{Session, Table, params};

/// Bytes of fragments that are held in memory; what comes then goes to a temporary table.
const HELD_BYTES_MAX: u64 = 512 << 10;

const SPILL: Table = Table {
    name: "import_spill",
    level: 2,
    columns: &["nth", "xml", "pos", "line", "col"],
};

/// A page of what comes back from there ends after so many elements, or bytes.
const PAGE_ROWS: i64 = 256;
const PAGE_BYTES: usize = 256 << 10;

/// A fragment from this size on is copied inside the database: a statement that is handed it holds it twice more.
const LARGE_BYTES: usize = 256 << 10;

/// Changed whenever the same activity would be stored in another way, so that importing it again does so.
const LAYOUT: &[u8] = b"rsr activity 1";

/// An element with its canonical fragment and where it stood.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) element: ActivityElement,
    pub(super) xml: String,
    pub(super) position: Position,
}

/// An activity while it is read.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) head: ActivityHead,
    pub(super) position: Position,
    pub(super) identifier: Option<String>,
    pub(super) summary: Summary,
    held: Vec<Held>,
    n_held_bytes: u64,
    n_bytes: u64,
    n_spilled: i64,
    hasher: Sha256,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            head: ActivityHead::default(),
            position: Position::START,
            identifier: None,
            summary: Summary::default(),
            held: Vec::new(),
            n_held_bytes: 0,
            n_bytes: 0,
            n_spilled: 0,
            hasher: Sha256::new(),
        }
    }
}

impl Draft {
    /// Forgets the activity before, and begins the next one.
    pub(super) fn start(&mut self, head: ActivityHead, position: Position) {
        self.held.clear();
        self.identifier = None;
        self.summary = Summary::default();
        self.n_held_bytes = 0;
        self.n_bytes = 0;
        self.n_spilled = 0;
        self.hasher = Sha256::new();
        self.hasher.update(LAYOUT);
        self.hasher.update(head_to_xml(&head));
        self.head = head;
        self.position = position;
    }

    /// Takes in an element and its canonical fragment. Answers whether it is time to [`Draft::spill`].
    pub(super) fn push(
        &mut self,
        element: ActivityElement,
        xml: String,
        position: Position,
    ) -> bool {
        if let ActivityElement::Identifier(identifier) = &element {
            self.identifier
                .get_or_insert_with(|| identifier.identifier().to_owned());
        }
        self.summary.note(&element);
        self.hasher.update([0]);
        self.hasher.update(&xml);
        self.n_held_bytes += xml.len() as u64;
        self.n_bytes += xml.len() as u64;
        self.held.push(Held {
            element,
            xml,
            position,
        });
        self.n_held_bytes > HELD_BYTES_MAX
    }

    /// Bytes of the fragments that are held.
    pub(super) fn n_held_bytes(&self) -> u64 {
        self.n_held_bytes
    }

    /// Forgets an activity that does not come to its end.
    pub(super) fn forget(&mut self) {
        self.held.clear();
        self.n_held_bytes = 0;
        self.n_spilled = 0;
    }

    /// Whether some of it lies in the temporary table, and goes with the transaction.
    pub(super) fn is_spilled(&self) -> bool {
        self.n_spilled > 0
    }

    /// Moves what is held to the temporary table.
    pub(super) fn spill(&mut self, db: &dyn Session) -> Result<(), Error> {
        if self.n_spilled == 0 {
            empty_spill(db)?;
        }
        let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        for Held {
            element,
            xml,
            position,
        } in self.held.drain(..)
        {
            // The database holds it twice while it takes it in.
            drop(element);
            self.n_spilled += 1;
            // What 2.03 does not name is written and read back as it came, whatever its kind.
            db.put(
                &SPILL,
                params![
                    self.n_spilled,
                    &xml,
                    int(position.offset),
                    int(position.line),
                    int(position.column)
                ],
            )?;
        }
        self.n_held_bytes = 0;
        Ok(())
    }

    /// Every element, in order; those in the temporary table a page at a time. The row that `take` answers is written: of a
    /// large element by the database alone, once nothing of it is held here.
    pub(super) fn each(
        &self,
        db: &dyn Session,
        take: &mut dyn FnMut(&Held) -> Result<Option<ElementRow>, Error>,
    ) -> Result<(), Error> {
        let mut after = 0;
        while after < self.n_spilled {
            let page = spilled(db, after)?;
            if page.is_empty() {
                break;
            }
            for row in page {
                after = row.nth;
                let held = row.read()?;
                match take(&held)? {
                    Some(row) if held.xml.len() > LARGE_BYTES => {
                        drop(held);
                        row.write_from(db, SPILL.name, "nth", after)?;
                    }
                    Some(row) => row.write(db, &held.xml)?,
                    None => {}
                }
            }
        }
        for held in &self.held {
            if let Some(row) = take(held)? {
                row.write(db, &held.xml)?;
            }
        }
        Ok(())
    }

    /// A digest of all that was read.
    pub(super) fn hash(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }

    /// Bytes of the fragments.
    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Frees what the activity took.
    pub(super) fn clear(&mut self, db: &dyn Session) -> Result<(), Error> {
        self.held = Vec::new();
        if self.n_spilled > 0 {
            empty_spill(db)?;
        }
        self.n_spilled = 0;
        Ok(())
    }
}

fn empty_spill(db: &dyn Session) -> Result<(), Error> {
    db.execute("DELETE FROM import_spill", params![])?;
    Ok(())
}

/// An element as the temporary table has it.
struct Spilled {
    nth: i64,
    xml: String,
    position: Position,
}

impl Spilled {
    fn read(self) -> Result<Held, Error> {
        let element = ActivityElement::from_xml(&self.xml).map_err(|error| Error::BadRow {
            what: "import_spill.xml",
            id: self.nth,
            found: error.to_string(),
        })?;
        debug_assert!(
            element.kind() != ElementKind::Unknown || !element.name().is_empty(),
            "what was read has a name"
        );
        Ok(Held {
            element,
            xml: self.xml,
            position: self.position,
        })
    }
}

/// The elements after the one of a number; a page of them.
fn spilled(db: &dyn Session, after: i64) -> Result<Vec<Spilled>, Error> {
    let mut page = Vec::new();
    let mut n_bytes = 0;
    let flow = db.query_until(
        "SELECT nth, xml, pos, line, col FROM import_spill WHERE nth > ?1 ORDER BY nth LIMIT ?2",
        params![after, PAGE_ROWS],
        &mut |row| {
            let spilled = Spilled {
                nth: row.int(0)?,
                xml: row.string(1)?,
                position: Position {
                    offset: row.int(2)?.unsigned_abs(),
                    line: row.int(3)?.unsigned_abs(),
                    column: row.int(4)?.unsigned_abs(),
                },
            };
            n_bytes += spilled.xml.len();
            page.push(spilled);
            Ok(match n_bytes > PAGE_BYTES {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        },
    )?;
    debug_assert!(
        flow.is_break() || n_bytes <= PAGE_BYTES,
        "a page is bounded"
    );
    Ok(page)
}

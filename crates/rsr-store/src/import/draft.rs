//! One activity, held until its end.

use rsr_iati::model::{ActivityElement, ActivityHead, ElementKind};
use rsr_iati::xml::Position;
use sha2::{Digest as _, Sha256};

use crate::elements::head_to_xml;
use crate::error::Error;
use crate::sql::{Session, params};

/// Bytes of fragments that are held in memory; what comes then goes to a temporary table.
const HELD_BYTES_MAX: u64 = 512 << 10;

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
        self.n_held_bytes = 0;
        self.n_bytes = 0;
        self.n_spilled = 0;
        self.hasher = Sha256::new();
        self.hasher.update(LAYOUT);
        self.hasher.update(head_to_xml(&head));
        self.head = head;
        self.position = position;
    }

    /// Takes in an element. Answers whether it is time to [`Draft::spill`].
    pub(super) fn push(&mut self, element: ActivityElement, position: Position) -> bool {
        if let ActivityElement::Identifier(identifier) = &element {
            self.identifier
                .get_or_insert_with(|| identifier.identifier().to_owned());
        }
        let xml = element.to_xml();
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

    /// Moves what is held to the temporary table.
    pub(super) fn spill(&mut self, db: &dyn Session) -> Result<(), Error> {
        if self.n_spilled == 0 {
            empty_spill(db)?;
        }
        let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        for held in self.held.drain(..) {
            self.n_spilled += 1;
            // What 2.03 does not name is written and read back as it came, whatever its kind.
            db.execute(
                "INSERT INTO import_spill (nth, xml, pos, line, col) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    self.n_spilled,
                    &held.xml,
                    int(held.position.offset),
                    int(held.position.line),
                    int(held.position.column)
                ],
            )?;
        }
        self.n_held_bytes = 0;
        Ok(())
    }

    /// Every element, in order; those in the temporary table one at a time.
    pub(super) fn each(
        &self,
        db: &dyn Session,
        take: &mut dyn FnMut(&Held) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for nth in 1..=self.n_spilled {
            if let Some(held) = spilled(db, nth)? {
                take(&held)?;
            }
        }
        self.held.iter().try_for_each(take)
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

fn spilled(db: &dyn Session, nth: i64) -> Result<Option<Held>, Error> {
    let row = db.row(
        "SELECT xml, pos, line, col FROM import_spill WHERE nth = ?1",
        params![nth],
        |row| {
            let position = Position {
                offset: row.int(1)?.unsigned_abs(),
                line: row.int(2)?.unsigned_abs(),
                column: row.int(3)?.unsigned_abs(),
            };
            Ok((row.string(0)?, position))
        },
    )?;
    let Some((xml, position)) = row else {
        return Ok(None);
    };
    let element = ActivityElement::from_xml(&xml).map_err(|error| Error::BadRow {
        what: "import_spill.xml",
        id: nth,
        found: error.to_string(),
    })?;
    debug_assert!(
        element.kind() != ElementKind::Unknown || !element.name().is_empty(),
        "what was read has a name"
    );
    Ok(Some(Held {
        element,
        xml,
        position,
    }))
}

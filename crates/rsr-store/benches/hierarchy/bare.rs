//! The peer: the drivers themselves, with the loop that a careful person writes by hand.
//!
//! It reads the same columns as the walker, the same related rows by the same ids, into plain structs; nobody is asked
//! for, nothing is filtered, no order but one is known.

use std::collections::HashMap;

/// What the peer walks, and how it finds the next rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// Children by the last key seen.
    Keyset,
    /// Children by counting those before.
    Offset,
    /// Everything in a tree, by its place.
    Places,
}

impl Walk {
    /// The statement, with the parent or root, where it goes on, and a chunk's size.
    pub(crate) fn sql(self) -> String {
        let tail = match self {
            Self::Keyset => {
                "FROM projects WHERE parent_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
            }
            Self::Offset => {
                "FROM projects WHERE parent_id = ?1 ORDER BY id DESC LIMIT ?3 OFFSET ?2"
            }
            Self::Places => {
                ", place FROM positions JOIN projects ON id = project_id
                 WHERE positions.root_id = ?1 AND place > ?2 ORDER BY place LIMIT ?3"
            }
        };
        format!("SELECT {COLUMNS} {tail}")
    }

    pub(crate) fn start(self) -> i64 {
        match self {
            Self::Keyset => i64::MAX,
            Self::Offset | Self::Places => 0,
        }
    }

    /// Where the next chunk starts; `None` after an empty one.
    pub(crate) fn next(self, from: i64, chunk: &[Bare]) -> Option<i64> {
        let last = chunk.last()?;
        Some(match self {
            Self::Keyset => last.id,
            Self::Offset => from + i64::try_from(chunk.len()).ok()?,
            Self::Places => last.place,
        })
    }
}

/// A driver that walks by itself.
pub(crate) trait Peer {
    /// Reads what lies below a project, `n_max` rows or all; answers how many there were.
    fn walk(&mut self, walk: Walk, of: i64, n_max: u64, chunk: usize) -> u64;
}

/// A project as the peer holds it.
#[derive(Debug, Default)]
#[expect(dead_code, reason = "it is read for the work of reading it")]
pub(crate) struct Bare {
    pub(crate) id: i64,
    pub(crate) uuid: Vec<u8>,
    pub(crate) parent: Option<i64>,
    pub(crate) texts: [Option<String>; 11],
    pub(crate) flags: [bool; 6],
    pub(crate) organisation: Option<i64>,
    pub(crate) times: [i64; 2],
    pub(crate) place: i64,
    pub(crate) children_count: i64,
    pub(crate) sectors: Vec<(String, String, String, Option<String>)>,
    pub(crate) countries: Vec<String>,
    pub(crate) recipient_countries: Vec<String>,
    pub(crate) organisation_name: Option<String>,
    pub(crate) parent_title: Option<String>,
    pub(crate) roles: Vec<(i64, String, String)>,
}

const COLUMNS: &str = "id, uuid, parent_id, iati_identifier, title, subtitle, activity_status, planned_start, \
     planned_end, actual_start, actual_end, reporting_ref, default_currency, last_updated, is_published, is_public, \
     is_program, use_project_roles, aggregate_to_parent, aggregate_children, organisation_id, created_ms, changed_ms";

/// What is read of other tables for the ids of a chunk.
pub(crate) const RELATED: [&str; 7] = [
    "SELECT parent_id, count(*) FROM projects WHERE parent_id IN IDS GROUP BY parent_id",
    "SELECT project_id, vocabulary, code, name, percentage FROM sectors WHERE project_id IN IDS ORDER BY project_id, place",
    "SELECT project_id, country FROM locations WHERE project_id IN IDS AND country IS NOT NULL
     GROUP BY project_id, country ORDER BY project_id, min(place)",
    "SELECT project_id, code FROM recipient_countries WHERE project_id IN IDS ORDER BY project_id, place",
    "SELECT p.id, o.name FROM projects p JOIN organisations o ON o.id = p.organisation_id WHERE p.id IN IDS",
    "SELECT p.id, u.title FROM projects p JOIN projects u ON u.id = p.parent_id WHERE p.id IN IDS",
    "SELECT r.project_id, u.id, u.name, r.role FROM roles r JOIN users u ON u.id = r.user_id
     WHERE r.project_id IN IDS ORDER BY r.project_id, u.id",
];

/// Where each id of a chunk stands in it.
pub(crate) fn index(chunk: &[Bare]) -> HashMap<i64, usize> {
    (0..).zip(chunk).map(|(nth, bare)| (bare.id, nth)).collect()
}

/// A row of either driver.
pub(crate) trait BareRow {
    fn int(&self, column: usize) -> Option<i64>;
    fn text(&self, column: usize) -> Option<String>;
    fn bytes(&self, column: usize) -> Vec<u8>;
}

impl Bare {
    pub(crate) fn read(walk: Walk, row: &impl BareRow) -> Self {
        let place = (walk == Walk::Places).then(|| row.int(23)).flatten();
        Self {
            place: place.unwrap_or_default(),
            id: row.int(0).unwrap_or_default(),
            uuid: row.bytes(1),
            parent: row.int(2),
            texts: std::array::from_fn(|nth| row.text(3 + nth)),
            flags: std::array::from_fn(|nth| row.int(14 + nth) == Some(1)),
            organisation: row.int(20),
            times: [21, 22].map(|nth| row.int(nth).unwrap_or_default()),
            ..Self::default()
        }
    }

    /// Takes in a row of the related statement of this number.
    pub(crate) fn take(&mut self, nth: usize, row: &impl BareRow) {
        let text = |column| row.text(column).unwrap_or_default();
        match nth {
            0 => self.children_count = row.int(1).unwrap_or_default(),
            1 => self.sectors.push((text(1), text(2), text(3), row.text(4))),
            2 => self.countries.push(text(1)),
            3 => self.recipient_countries.push(text(1)),
            4 => self.organisation_name = row.text(1),
            5 => self.parent_title = row.text(1),
            _ => self
                .roles
                .push((row.int(1).unwrap_or_default(), text(2), text(3))),
        }
    }
}

//! The form of the generated tables, and how names are looked up in them.

use super::FileKind;
use super::generated::{NAMES, SCHEMAS, TYPES};

/// The place of a name in [`NAMES`]. [`NO_NAME`]: a name that no schema knows, or the wildcard of a particle.
pub(super) type NameId = u16;
/// The place of a type in [`TYPES`].
pub(super) type TypeId = u16;

pub(super) const NO_NAME: NameId = 0xFFFF;

/// An element that a type may contain.
///
/// The name ([`NO_NAME`]: any element of another namespace, checked laxly), its type, whether it may be repeated, and
/// the place (from one) of the last particle before it that must not be missing.
///
/// Every name stands once in a sequence, so the place of the particle that matched last is all the state there is.
#[derive(Debug)]
pub(super) struct Particle(
    pub(super) NameId,
    pub(super) TypeId,
    pub(super) bool,
    pub(super) u8,
);

/// An attribute: name, type, whether it is required.
#[derive(Debug)]
pub(super) struct Attribute(pub(super) NameId, pub(super) SimpleType, pub(super) bool);

#[derive(Debug)]
pub(super) enum Content {
    /// Anything, checked where it is known: an element that the schema gives no type.
    Anything,
    /// Text of a simple type.
    Text(SimpleType),
    /// Elements in this order; `need` is the place (from one) of the last that must not be missing.
    Sequence {
        mixed: bool,
        particles: &'static [Particle],
        need: u8,
    },
    /// Elements in any order and number; `required` asks for at least one.
    Choice {
        mixed: bool,
        particles: &'static [Particle],
        required: bool,
    },
}

#[derive(Debug)]
pub(super) struct ComplexType {
    pub(super) content: Content,
    pub(super) attributes: &'static [Attribute],
    /// Attributes of other namespaces are welcome, and checked where they are known.
    pub(super) open: bool,
}

/// The simple types that the schemas use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SimpleType {
    Text,
    Uri,
    Boolean,
    Date,
    DateTime,
    Decimal,
    Int,
    Integer,
    NonNegative,
    Positive,
    NameToken,
    Language,
    /// `xml:lang`: a language or nothing.
    Lang,
    /// `xml:space`.
    Space,
    /// `xml:id`.
    Name,
}

/// The top of one schema.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) version: &'static str,
    pub(super) kind: FileKind,
    pub(super) elements: &'static [(NameId, TypeId)],
    pub(super) attributes: &'static [(NameId, SimpleType)],
    /// Named types with the type they extend, for `xsi:type`.
    pub(super) types: &'static [(&'static str, TypeId, Option<TypeId>)],
}

impl Schema {
    /// The schema of a version and kind.
    pub(super) fn find(version: &str, kind: FileKind) -> Option<&'static Self> {
        SCHEMAS
            .iter()
            .find(|schema| schema.version == version && schema.kind == kind)
    }

    pub(super) fn element(&self, name: NameId) -> Option<TypeId> {
        let place = self
            .elements
            .binary_search_by_key(&name, |(name, _)| *name)
            .ok()?;
        self.elements.get(place).map(|(_, it)| *it)
    }

    pub(super) fn attribute(&self, name: NameId) -> Option<SimpleType> {
        self.attributes
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, simple)| *simple)
    }
}

/// The type with this number. Numbers come from the tables alone, so there always is one.
pub(super) fn type_of(id: TypeId) -> &'static ComplexType {
    static NOTHING: ComplexType = ComplexType {
        content: Content::Anything,
        attributes: &[],
        open: true,
    };
    TYPES.get(usize::from(id)).unwrap_or(&NOTHING)
}

pub(super) fn name_of(id: NameId) -> &'static str {
    NAMES.get(usize::from(id)).copied().unwrap_or("*")
}

const SLOTS: usize = 1024;

/// Open addressing, filled when the crate is compiled.
static INDEX: [NameId; SLOTS] = index();

#[expect(
    clippy::indexing_slicing,
    reason = "it runs in the compiler, which refuses an index that is out of bounds"
)]
const fn index() -> [NameId; SLOTS] {
    let mut slots = [NO_NAME; SLOTS];
    let mut id = 0;
    while id < NAMES.len() {
        let mut slot = Ends::of(NAMES[id].as_bytes()).slot();
        while slots[slot] != NO_NAME {
            slot = (slot + 1) % SLOTS;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the names are some hundred"
        )]
        let short = id as NameId;
        slots[slot] = short;
        id += 1;
    }
    slots
}

/// Length, start and end of a name: all there is to one of up to 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ends {
    length: usize,
    first: u64,
    last: u64,
}

/// Names up to this length are told apart by their ends.
const ENDS_BYTES: usize = 16;

impl Ends {
    const fn of(name: &[u8]) -> Self {
        let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
                (Some(first), Some(last)) => (
                    u32::from_le_bytes(*first) as u64,
                    u32::from_le_bytes(*last) as u64,
                ),
                _ => match name {
                    [] => (0, 0),
                    [a] => (*a as u64, 0),
                    [a, b] => (*a as u64, *b as u64),
                    [a, b, c, ..] => (*a as u64 | (*b as u64) << 8, *c as u64),
                },
            },
        };
        Self {
            length: name.len(),
            first,
            last,
        }
    }

    const fn slot(self) -> usize {
        let mixed = self.first ^ self.last.rotate_left(29) ^ self.length as u64;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize % SLOTS
    }
}

/// The ends of all names, by their number.
static ENDS: [Ends; NAMES.len()] = ends();

#[expect(
    clippy::indexing_slicing,
    reason = "it runs in the compiler, which refuses an index that is out of bounds"
)]
const fn ends() -> [Ends; NAMES.len()] {
    let mut ends = [Ends::of(b""); NAMES.len()];
    let mut id = 0;
    while id < NAMES.len() {
        ends[id] = Ends::of(NAMES[id].as_bytes());
        id += 1;
    }
    ends
}

/// The number of a name, [`NO_NAME`] where no schema knows it.
pub(super) fn lookup(name: &[u8]) -> NameId {
    let ends = Ends::of(name);
    let mut slot = ends.slot();
    loop {
        let id = INDEX.get(slot).copied().unwrap_or(NO_NAME);
        if id == NO_NAME {
            return NO_NAME;
        }
        let is_alike = ENDS
            .get(usize::from(id))
            .is_some_and(|known| *known == ends);
        if is_alike && (name.len() <= ENDS_BYTES || name_of(id).as_bytes() == name) {
            return id;
        }
        slot = (slot + 1) % SLOTS;
    }
}

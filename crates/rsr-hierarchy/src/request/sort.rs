//! The order of children, and the key that a chunk or a cursor goes on from.

use std::cmp::Ordering;

use rsr_base::ProjectId;

/// What children are sorted by. The id is always the last key, newest first, so every order is total (rule 13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SortField {
    /// The id alone.
    #[default]
    Id,
    /// The first [`SORT_TEXT_MAX_CHARS`] characters of the title, compared byte by byte.
    Title,
    /// The planned start date.
    PlannedStart,
    /// The planned end date.
    PlannedEnd,
    /// The actual start date.
    ActualStart,
    /// The actual end date.
    ActualEnd,
}

/// Characters of a text that take part in an order. What lies behind them is decided by the id, which keeps cursors
/// short however long a title is.
pub const SORT_TEXT_MAX_CHARS: usize = 100;

impl SortField {
    /// Every field, as a client writes it.
    pub const ALL: [(&'static str, Self); 6] = [
        ("id", Self::Id),
        ("title", Self::Title),
        ("planned_start", Self::PlannedStart),
        ("planned_end", Self::PlannedEnd),
        ("actual_start", Self::ActualStart),
        ("actual_end", Self::ActualEnd),
    ];

    /// The name a client writes.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|&(_, field)| field == self)
            .map_or("id", |(name, _)| name)
    }
}

/// An order of children. The default is newest id first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    /// The first key.
    pub field: SortField,
    /// Whether the first key falls. The id, as last key, always falls; as first key it follows this.
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self {
            field: SortField::Id,
            descending: true,
        }
    }
}

impl Sort {
    /// Reads `title` (rising) or `-title` (falling).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        SortField::ALL
            .into_iter()
            .find(|&(known, _)| known == name)
            .map(|(_, field)| Self { field, descending })
    }

    /// Compares two keys in this order. No value comes before any value where the field rises.
    #[must_use]
    pub fn compare(self, a: &Key, b: &Key) -> Ordering {
        let by = |rising: Ordering, descending: bool| {
            if descending { rising.reverse() } else { rising }
        };
        if self.field == SortField::Id {
            by(a.id.cmp(&b.id), self.descending)
        } else {
            by(a.value.cmp(&b.value), self.descending).then(b.id.cmp(&a.id))
        }
    }
}

/// Where a node stands in an order: the value of the sort field, then the id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The value of the field: `None` where the node has none and always for [`SortField::Id`]; dates as `YYYY-MM-DD`;
    /// titles cut to [`SORT_TEXT_MAX_CHARS`].
    pub value: Option<String>,
    /// The node.
    pub id: ProjectId,
}

impl Key {
    /// The key of a node sorted by id alone.
    #[must_use]
    pub fn of_id(id: ProjectId) -> Self {
        Self { value: None, id }
    }

    /// The key of a node with a sort value, cut to the characters that take part.
    #[must_use]
    pub fn new(value: Option<&str>, id: ProjectId) -> Self {
        Self {
            value: value.map(|text| text.chars().take(SORT_TEXT_MAX_CHARS).collect()),
            id,
        }
    }
}

//! What is asked of the children endpoint, read from a query string.

mod filter;
mod sort;

use std::num::{NonZeroU32, NonZeroUsize};

use rsr_base::ProjectId;

use crate::cursor::{CursorError, CursorKey};
use crate::{Limits, Viewer};
pub use filter::{Condition, FILTER_MAX_CONDITIONS, FILTER_VALUE_MAX_CHARS, Filter};
pub use sort::{Key, SORT_TEXT_MAX_CHARS, Sort, SortField};

/// Levels below the project that the endpoint looks at where the client does not say.
pub const DEPTH_DEFAULT: NonZeroU32 = NonZeroU32::new(2).expect("two is not zero");
/// Most levels that the endpoint looks at. A client that asks for more gets these.
pub const DEPTH_MAX: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

/// The children of one project, as one viewer asks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildrenRequest {
    /// The node asked about: level 0.
    pub project: ProjectId,
    /// Who asks.
    pub viewer: Viewer,
    /// What elements and counts are narrowed to.
    pub filter: Filter,
    /// The order of the elements. Nested lists are always newest first.
    pub sort: Sort,
    /// The last key of the answer before, taken from its cursor.
    pub after: Option<Key>,
    /// Most elements the client wants; the setting caps it.
    pub limit: Option<NonZeroUsize>,
    /// Levels 1 to this one are looked at.
    pub depth_max: NonZeroU32,
    /// Whether each element carries its own children, down to `depth_max`.
    pub nested: bool,
}

impl ChildrenRequest {
    /// The plain question: no filter, newest first, two levels, not nested.
    #[must_use]
    pub fn new(project: ProjectId, viewer: Viewer) -> Self {
        Self {
            project,
            viewer,
            filter: Filter::default(),
            sort: Sort::default(),
            after: None,
            limit: None,
            depth_max: DEPTH_DEFAULT,
            nested: false,
        }
    }

    /// Reads a decoded query string: `max_depth`, `limit`, `cursor`, `nested`, `sort`, and filters; an empty value is
    /// the same as none.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the first field that is unknown, malformed or given twice; all of them are the client's.
    ///
    /// # Examples
    ///
    /// ```
    /// use rsr_base::ProjectId;
    /// use rsr_hierarchy::{ChildrenRequest, CursorKey, RequestError, Viewer};
    ///
    /// let key = CursorKey::new([7; 32]);
    /// let parse = |query: &[(&str, &str)]| {
    ///     ChildrenRequest::parse(ProjectId(1), Viewer::Anonymous, query.iter().copied(), &key)
    /// };
    /// assert_eq!(parse(&[("max_depth", "3"), ("limit", "")])?.depth_max.get(), 3);
    /// let refused = parse(&[("limit", "-1")]).unwrap_err();
    /// assert_eq!(refused.field(), Some("limit"));
    /// # Ok::<(), RequestError>(())
    /// ```
    pub fn parse<'q>(
        project: ProjectId,
        viewer: Viewer,
        query: impl IntoIterator<Item = (&'q str, &'q str)>,
        cursor_key: &CursorKey,
    ) -> Result<Self, RequestError> {
        const OWN: [&str; 5] = ["max_depth", "limit", "cursor", "nested", "sort"];
        let mut request = Self::new(project, viewer);
        let mut seen = [false; OWN.len()];
        let mut cursor = None;
        for (field, value) in query {
            if let Some(seen) = OWN
                .iter()
                .position(|own| *own == field)
                .and_then(|nth| seen.get_mut(nth))
                && std::mem::replace(seen, true)
            {
                return Err(RequestError::Twice {
                    field: field.to_owned(),
                });
            }
            if value.is_empty() {
                // A name that nobody knows is refused whatever its value.
                if !OWN.contains(&field) && !Filter::knows(field) {
                    return Err(RequestError::UnknownField {
                        field: field.to_owned(),
                    });
                }
                continue;
            }
            let malformed = |accepted: &'static str| RequestError::Malformed {
                field: field.to_owned(),
                accepted,
            };
            match field {
                "max_depth" => {
                    let depth: NonZeroU32 = value
                        .parse()
                        .map_err(|_not_a_depth| malformed("a whole number from 1 to 4294967295"))?;
                    request.depth_max = depth.min(DEPTH_MAX);
                }
                "limit" => {
                    let limit = value
                        .parse()
                        .map_err(|_not_a_limit| malformed("a whole number from 1"))?;
                    request.limit = Some(limit);
                }
                "nested" => {
                    request.nested =
                        filter::parse_flag(value).ok_or_else(|| malformed("true or false"))?;
                }
                "sort" => {
                    request.sort = Sort::parse(value).ok_or_else(|| {
                        malformed(
                            "id, title, planned_start, planned_end, actual_start or actual_end, \
                             with - before it for falling order",
                        )
                    })?;
                }
                "cursor" => cursor = Some(value),
                _ => request.filter.add(field, value)?,
            }
        }
        // Last, since it is bound to filter and sort wherever they stand in the query.
        if let Some(text) = cursor {
            request.after = Some(cursor_key.open(text, &request)?);
        }
        Ok(request)
    }

    /// Elements that one answer may hold: the client's limit, never above the setting.
    #[must_use]
    pub fn page_size(&self, limits: &Limits) -> NonZeroUsize {
        let setting = limits.max_descendants_per_request;
        self.limit.map_or(setting, |asked| asked.min(setting))
    }
}

/// Why a request cannot be answered. Each is the client's to mend (400).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No parameter or filter has this name.
    #[error("{field}: no such parameter or filter")]
    UnknownField {
        /// The name.
        field: String,
    },
    /// The value does not fit the field.
    #[error("{field}: accepts {accepted}")]
    Malformed {
        /// The name.
        field: String,
        /// What fits.
        accepted: &'static str,
    },
    /// A parameter that has one value stands there twice.
    #[error("{field}: given twice")]
    Twice {
        /// The name.
        field: String,
    },
    /// More conditions than [`FILTER_MAX_CONDITIONS`].
    #[error("more than {FILTER_MAX_CONDITIONS} filters")]
    TooManyConditions,
    /// The cursor is not one of ours, or belongs to another question.
    #[error("cursor: {0}")]
    Cursor(#[from] CursorError),
}

impl RequestError {
    /// The field to mend, where there is one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::UnknownField { field }
            | Self::Malformed { field, .. }
            | Self::Twice { field } => Some(field),
            Self::Cursor(_) => Some("cursor"),
            Self::TooManyConditions => None,
        }
    }
}

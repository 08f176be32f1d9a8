//! The elements of an activity, as rows.
//!
//! One function turns a typed element into its row and its queried columns, whoever made it: an import, the API or the
//! demo. The canonical fragment is the truth; the columns are derived from the same struct.

mod columns;
mod head;
mod results;
mod row;
mod wrapped;

pub(crate) use head::{head_from_xml, head_to_xml};
pub(crate) use results::{ResultRows, n_without_number};
pub(crate) use row::{
    ElementRow, ElementWriter, KnownOrganisations, NewActivity, Summary, clear, organisation, place,
};
pub(crate) use wrapped::{indicator_from_xml, period_from_xml, result_from_xml};

use rsr_iati::model::{Date, Narrative, TextBlock};

/// The first narrative that says something, without white space around it.
pub(crate) fn first_text(narratives: &[Narrative]) -> &str {
    narratives
        .iter()
        .map(|narrative| narrative.text.trim())
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

/// The text of an optional block.
pub(crate) fn block_text(block: Option<&TextBlock>) -> &str {
    block.map_or("", |block| first_text(&block.narratives))
}

/// A day as columns hold it.
pub(crate) fn day(date: Option<&Date>) -> Option<String> {
    date.and_then(Date::value).map(|day| day.to_string())
}

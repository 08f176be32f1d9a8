//! The words of a period (rules 14, 15).

use std::cmp::Reverse;
use std::fmt::Write as _;

use crate::{Measure, PeriodTexts, UpdateText};

/// Characters a comment may have; from here on it is cut.
const COMMENT_CUT_FROM_CHARS: usize = 2000;
/// Characters that stay of a comment that is cut, before the mark.
const COMMENT_KEPT_CHARS: usize = 1995;

/// The words of a period, from those of its approved updates in any order.
///
/// ```
/// use rsr_aggregation::{Date, Measure, Moment, UpdateText, period_texts};
/// use rsr_base::UpdateId;
///
/// let update = |id, text: &str| UpdateText {
///     id: UpdateId(id),
///     created: Moment(id),
///     changed: Date { year: 2024, month: 3, day: 9 },
///     text: text.to_owned(),
///     narrative: String::new(),
///     score: None,
///     scores: vec![],
/// };
/// let words = [update(1, "dug"), update(2, " "), update(3, "lined")];
/// let texts = period_texts(Measure::Unit, false, &words);
/// assert_eq!(texts.comment, "09-03-2024: lined | 09-03-2024: dug");
/// ```
#[must_use]
pub fn period_texts(measure: Measure, has_scores: bool, updates: &[UpdateText]) -> PeriodTexts {
    let mut newest_first: Vec<&UpdateText> = updates.iter().collect();
    newest_first.sort_unstable_by_key(|update| Reverse((update.created, update.id)));
    let mut texts = PeriodTexts {
        comment: comment(&newest_first),
        ..PeriodTexts::default()
    };
    if measure == Measure::Qualitative
        && let Some(last) = newest_first.first()
    {
        texts.narrative.clone_from(&last.narrative);
        if has_scores {
            texts.score = last.score;
            texts.scores.clone_from(&last.scores);
        }
    }
    texts
}

fn comment(newest_first: &[&UpdateText]) -> String {
    let mut comment = String::new();
    for update in newest_first {
        let text = update.text.trim();
        if text.is_empty() {
            continue;
        }
        let separator = if comment.is_empty() { "" } else { " | " };
        write!(comment, "{separator}{}: {text}", update.changed)
            .expect("a String takes whatever is written to it");
        // What comes after is cut anyway, however many updates there are.
        if comment.chars().nth(COMMENT_CUT_FROM_CHARS - 1).is_some() {
            let end = comment
                .char_indices()
                .nth(COMMENT_KEPT_CHARS)
                .map_or(comment.len(), |(at, _)| at);
            comment.truncate(end);
            comment.push_str(" ...");
            break;
        }
    }
    comment
}

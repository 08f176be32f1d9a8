//! Comments, narratives, scores, and what their warnings say.

use rsr_aggregation::{Date, Measure, Moment, UpdateText, period_texts};
use rsr_base::UpdateId;

use crate::world::World;

fn text(id: i64, words: &str) -> UpdateText {
    UpdateText {
        id: UpdateId(id),
        created: Moment(id / 2),
        changed: Date {
            year: 2024,
            month: 2,
            day: 1,
        },
        text: words.to_owned(),
        narrative: format!("n{id}"),
        score: Some(1),
        scores: vec![1, 2],
    }
}

fn comment(texts: &[UpdateText]) -> String {
    period_texts(Measure::Unit, false, texts).comment
}

#[test]
fn a_comment_lists_texts_newest_first() {
    let texts = [
        text(1, "a"),
        text(4, "  "),
        text(5, "c"),
        text(3, "b"),
        text(2, "z"),
    ];
    assert_eq!(
        comment(&texts),
        "01-02-2024: c | 01-02-2024: b | 01-02-2024: z | 01-02-2024: a"
    );
    assert_eq!(comment(&[]), "");
}

#[test]
fn from_two_thousand_characters_on_it_is_cut_between_characters() {
    let with = |n: usize| comment(&[text(1, &"é".repeat(n))]);
    let head = "01-02-2024: ".chars().count();
    assert_eq!(with(1999 - head).chars().count(), 1999);
    let cut = with(2000 - head);
    assert_eq!(cut.chars().count(), 1999);
    assert!(cut.ends_with("é ..."));
    assert_eq!(cut, with(9999));
    let many: Vec<_> = (0..3000).map(|id| text(id, "word")).collect();
    assert_eq!(comment(&many).chars().count(), 1999);
}

#[test]
fn a_qualitative_period_shows_its_last_approved_update() {
    let mut world = World::new(&[(1, None), (2, Some(1))], 1, Measure::Qualitative, false);
    let none = crate::world::value("");
    world.report(20, 1, none, &[]);
    let last = world.report(20, 1, none, &[]);
    world.job(20);
    let texts = world.periods[&20].texts.clone();
    assert_eq!(
        (texts.narrative.as_str(), texts.score),
        ("narrative of 2", Some(2))
    );
    assert_eq!(world.periods[&10].texts.narrative, "", "nothing rolls up");
    assert_eq!(world.rows.len(), 0);

    world.reports.get_mut(&last).unwrap().is_approved = false;
    world.job(20);
    assert_eq!(world.periods[&20].texts.score, Some(1));
    world.reports.clear();
    world.job(20);
    assert_eq!(
        world.periods[&20].texts,
        rsr_aggregation::PeriodTexts::default()
    );

    let without_scores = period_texts(Measure::Qualitative, false, &[text(1, "a")]);
    assert_eq!(
        (without_scores.score, without_scores.narrative.as_str()),
        (None, "n1")
    );
}

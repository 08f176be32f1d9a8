//! Cursors: whole, and bound to their question.

use std::num::NonZeroU32;

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use rsr_base::ProjectId;
use rsr_hierarchy::{
    Children, ChildrenRequest, CursorError, CursorKey, Key, Limits, Sort, SortField, Viewer,
    Waypoint,
};

use crate::memory::Tree;

fn key() -> CursorKey {
    CursorKey::new([9; 32])
}

fn of(project: i64) -> ChildrenRequest {
    ChildrenRequest::new(ProjectId(project), Viewer::Anonymous)
}

#[test]
fn the_head_seals_where_the_next_answer_starts() {
    let mut tree = Tree::fan(4);
    let request = of(1);
    let children = Children::open(&mut tree, &request, &Limits::new(2, 1)).unwrap();
    let cursor = children.head().next_cursor(&key(), &request).unwrap();
    let after = key().open(&cursor, &request).unwrap();
    assert_eq!(after, Key::of_id(ProjectId(4)), "5 and 4 were shown");
}

#[test]
fn another_question_refuses_it() {
    let request = of(1);
    let cursor = key().seal(&Key::of_id(ProjectId(4)), &request);
    let mut filtered = of(1);
    filtered.filter.add("sector", "112").unwrap();
    let sorted = ChildrenRequest {
        sort: Sort {
            field: SortField::Title,
            descending: true,
        },
        ..of(1)
    };
    let rising = ChildrenRequest {
        sort: Sort {
            descending: false,
            ..Sort::default()
        },
        ..of(1)
    };
    for other in [of(2), filtered, sorted, rising] {
        assert_eq!(key().open(&cursor, &other), Err(CursorError::Foreign));
    }
    let other_key = CursorKey::new([8; 32]);
    assert_eq!(other_key.open(&cursor, &request), Err(CursorError::Foreign));
}

#[test]
fn limit_depth_and_the_order_of_filters_do_not_matter() {
    let mut request = of(1);
    request.filter.add("sector", "112").unwrap();
    request.filter.add("country", "NL").unwrap();
    let cursor = key().seal(&Key::of_id(ProjectId(4)), &request);
    let mut later = of(1);
    later.filter.add("country", "NL").unwrap();
    later.filter.add("sector", "112").unwrap();
    later.limit = std::num::NonZeroUsize::new(7);
    later.nested = true;
    assert!(key().open(&cursor, &later).is_ok());
}

#[test]
fn the_secret_is_not_printed() {
    assert_eq!(format!("{:?}", key()), "CursorKey(secret)");
}

#[test]
fn texts_that_are_no_cursors_are_refused() {
    for text in ["", "zz", "abc", "AB", "00", "é0", &"00".repeat(5000)] {
        assert!(key().open(text, &of(1)).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sealed_opens(id in any::<i64>(), value in proptest::option::of(".{0,150}")) {
        let last = Key::new(value.as_deref(), ProjectId(id));
        let cursor = key().seal(&last, &of(1));
        prop_assert!(cursor.len() <= 852);
        prop_assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        prop_assert_eq!(key().open(&cursor, &of(1)), Ok(last));
    }

    #[test]
    fn a_stream_cursor_opens_for_its_question_alone(id in any::<i64>(), parent in any::<i64>(), at in any::<proptest::sample::Index>()) {
        let last = Waypoint { id: ProjectId(id), parent: ProjectId(parent) };
        let depth = NonZeroU32::new(3);
        let cursor = key().seal_stream(&last, ProjectId(7), depth);
        prop_assert_eq!(cursor.len(), 66);
        prop_assert_eq!(key().open_stream(&cursor, ProjectId(7), depth), Ok(last));
        prop_assert_eq!(key().open_stream(&cursor, ProjectId(8), depth), Err(CursorError::Foreign));
        prop_assert_eq!(key().open_stream(&cursor, ProjectId(7), None), Err(CursorError::Foreign));
        prop_assert_eq!(CursorKey::new([1; 32]).open_stream(&cursor, ProjectId(7), depth), Err(CursorError::Foreign));
        prop_assert!(key().open(&cursor, &of(7)).is_err(), "it is none for children");
        let mut forged = cursor.into_bytes();
        let at = at.index(forged.len());
        forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
        let forged = String::from_utf8(forged).unwrap();
        prop_assert!(key().open_stream(&forged, ProjectId(7), depth).is_err());
    }

    #[test]
    fn one_changed_digit_is_refused(id in any::<i64>(), at in any::<proptest::sample::Index>(), digit in 1_u8..16) {
        let cursor = key().seal(&Key::of_id(ProjectId(id)), &of(1));
        let mut bytes = cursor.into_bytes();
        let at = at.index(bytes.len());
        let old = char::from(bytes[at]).to_digit(16).unwrap();
        let new = (old + u32::from(digit)) % 16;
        bytes[at] = u8::try_from(char::from_digit(new, 16).unwrap()).unwrap();
        let forged = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(key().open(&forged, &of(1)), Err(CursorError::Foreign));
    }
}
